<?php
/**
 * Plugin Name:          Kassa Counter
 * Description:          For pickup counters that run Kassa: a claim that one statement in the database decides, and a table of what counters reported, each report once for good.
 * Version:              1.0.0
 * Requires at least:    6.4
 * Requires PHP:         7.4
 * Requires Plugins:     woocommerce
 * WC requires at least: 8.2
 * License:              GPL-2.0-or-later
 * License URI:          https://www.gnu.org/licenses/gpl-2.0.html
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * This program is free software; you can redistribute it and/or modify it under the terms of the
 * GNU General Public License as published by the Free Software Foundation; either version 2 of the
 * License, or (at your option) any later version. It comes without any warranty.
 */

namespace Kassa\Counter;

defined( 'ABSPATH' ) || exit;

require_once __DIR__ . '/includes/class-tables.php';
require_once __DIR__ . '/includes/class-claims.php';
require_once __DIR__ . '/includes/class-facts.php';
require_once __DIR__ . '/includes/class-routes.php';

register_activation_hook( __FILE__, array( Tables::class, 'install' ) );
// A plugin that is updated is not activated again.
add_action( 'plugins_loaded', array( Tables::class, 'install_if_old' ) );
add_action( 'rest_api_init', array( Routes::class, 'register' ) );
// Keys of WooCommerce's REST API are otherwise looked at for its own routes alone.
add_filter( 'woocommerce_rest_is_request_to_rest_api', array( Routes::class, 'takes_keys' ) );
add_action(
	'before_woocommerce_init',
	static function () {
		if ( class_exists( '\Automattic\WooCommerce\Utilities\FeaturesUtil' ) ) {
			// No table of orders is touched here, so both ways of storing them will do.
			\Automattic\WooCommerce\Utilities\FeaturesUtil::declare_compatibility( 'custom_order_tables', __FILE__, true );
		}
	}
);
