<?php
/**
 * When the plugin is deleted: claims go; what counters reported stays, unless wp-config.php says
 * define( 'KASSA_DELETE_FACTS', true ).
 *
 * Without that table a plugin that is installed again later would not know which payments it has
 * had already, and the orders' own marks would be all that keeps a report from counting twice.
 *
 * @package KassaCounter
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

global $wpdb;
$wpdb->query( "DROP TABLE IF EXISTS {$wpdb->prefix}kassa_claims" );
if ( defined( 'KASSA_DELETE_FACTS' ) && KASSA_DELETE_FACTS ) {
	$wpdb->query( "DROP TABLE IF EXISTS {$wpdb->prefix}kassa_facts" );
}
delete_option( 'kassa_counter_tables' );
