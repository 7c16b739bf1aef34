<?php
/**
 * One counter of a race: racer.php KIOSK ORDERS begins when the file "go" is there, asks for each
 * order, and prints those that it got.
 */

require __DIR__ . '/wordpress.php';

use Kassa\Counter\Claims;

$kiosk = $argv[1];
$until = microtime( true ) + 20;
while ( ! file_exists( $argv[3] ) && microtime( true ) < $until ) {
	usleep( 500 );
}
for ( $order = 1; $order <= (int) $argv[2]; $order++ ) {
	if ( Claims::take( $order, "H-$kiosk-$order", $kiosk, 600 ) ) {
		echo $order, "\n";
	}
}
