<?php
/**
 * The plugin's clock, where a test sets one.
 */

namespace Kassa\Counter;

function time() {
	return $GLOBALS['test_now'] ?? \time();
}
