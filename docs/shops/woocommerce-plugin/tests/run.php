<?php
/**
 * The plugin's own tests, on a database of their own: KASSA_TEST_SOCKET=… php tests/run.php
 */

require __DIR__ . '/wordpress.php';
require __DIR__ . '/clock.php';

use Kassa\Counter\Claims;
use Kassa\Counter\Facts;
use Kassa\Counter\Routes;
use Kassa\Counter\Tables;

$failed = 0;
$count  = 0;

function same( $wanted, $found, string $what ): void {
	global $failed, $count;
	++$count;
	if ( $wanted !== $found ) {
		++$failed;
		echo "FAILED: $what: wanted ", json_encode( $wanted ), ', found ', json_encode( $found ), "\n";
	}
}

function fresh(): void {
	global $wpdb;
	$wpdb->query( 'DROP TABLE IF EXISTS wp_kassa_claims' );
	$wpdb->query( 'DROP TABLE IF EXISTS wp_kassa_facts' );
	call_user_func( $GLOBALS['hooks']['activate'] );
	$GLOBALS['test_now'] = 1000;
}

// --- tables --------------------------------------------------------------------------------------
fresh();
same( '1', get_option( Tables::OPTION ), 'the tables are made at activation' );
Facts::keep( 'a', array( array( 'id' => 'f-1', 'kind' => 'k', 'order' => '13' ) ) );
Tables::install();
same( array( 'f-1' ), Facts::known( array( 'f-1' ) ), 'a second installation keeps what is there' );
delete_option( Tables::OPTION );
call_user_func( $GLOBALS['hooks']['plugins_loaded'] );
same( '1', get_option( Tables::OPTION ), 'an update makes what is missing' );

// --- claims --------------------------------------------------------------------------------------
fresh();
same( true, Claims::take( 13, 'H-1', 'one', 600 ), 'a free order is taken' );
same( true, Claims::take( 13, 'H-1', 'one', 600 ), 'a repeat within the same second renews' );
same( false, Claims::take( 13, 'H-2', 'two', 600 ), 'another counter does not get it' );
same( false, Claims::take( 13, 'H-1', 'two', 600 ), 'nor with the same claim id' );
same( false, Claims::take( 13, 'h-1', 'one', 600 ), 'ids are compared byte by byte' );
same( 'one', Claims::holder( 13 ), 'who has it is known' );
same( true, Claims::take( 14, 'H-2', 'two', 600 ), 'another order is another claim' );
$GLOBALS['test_now'] = 1599;
same( false, Claims::take( 13, 'H-2', 'two', 600 ), 'a lease lasts as long as it was given for' );
$GLOBALS['test_now'] = 1600;
same( true, Claims::take( 13, 'H-2', 'two', 600 ), 'and no longer' );
same( false, Claims::take( 13, 'H-1', 'one', 600 ), 'the first has lost it then' );
Claims::release( 13, 'H-1', 'one' );
same( 'two', Claims::holder( 13 ), 'a claim that is lost gives nothing back' );
Claims::release( 13, 'H-2', 'two' );
same( true, Claims::take( 13, 'H-1', 'one', 600 ), 'what was given back is free' );
Claims::open( 13, 'H-1', 'one', 'H-1-1' );
$GLOBALS['test_now'] = 999999;
same( false, Claims::take( 13, 'H-2', 'two', 600 ), 'a payment under way holds an order beyond its lease' );
same( true, Claims::take( 13, 'H-1', 'one', 1 ), 'its own counter renews all the same' );
Claims::close( 13, 'another' );
same( false, Claims::take( 13, 'H-2', 'two', 600 ), 'the end of another payment frees nothing' );
Claims::close( 13, 'H-1-1' );
$GLOBALS['test_now'] += 2;
same( true, Claims::take( 13, 'H-2', 'two', 600 ), 'its end does' );
Claims::open( 20, 'H-9', 'one', 'H-9-1' );
same( false, Claims::take( 20, 'H-2', 'two', 600 ), 'a payment without a claim holds too: it may come after a backup' );

// --- facts ---------------------------------------------------------------------------------------
fresh();
$rows = array(
	array( 'id' => 'f-1', 'kind' => 'payment.approved', 'order' => '13' ),
	array( 'id' => 'f-2', 'kind' => 'handover.handed_over', 'order' => '13' ),
);
same( 2, Facts::keep( 'one', $rows ), 'facts are kept' );
same( 2, Facts::keep( 'one', $rows ), 'a repeat is taken' );
same( 1, Facts::keep( 'two', array( $rows[0] ) ), 'from another counter as well' );
same( '2', $GLOBALS['wpdb']->get_var( 'SELECT COUNT(*) FROM wp_kassa_facts' ), 'each is there once for good' );
same( 'f-2', Facts::newest( 'one' ), 'the newest of a counter' );
same( '', Facts::newest( 'two' ), 'of a counter of its own' );
same( true, Facts::has( 'one', 'f-1' ), 'a fact that is there' );
same( false, Facts::has( 'two', 'f-1' ), 'is the counter\'s that told it' );
same( array( 'f-2', 'f-1' ), Facts::known( array( 'f-2', 'x', 'f-1' ) ), 'known ones, as asked for' );
same( array(), Facts::known( array() ), 'none' );
$odd = "f-'\"\\ ж 🙂";
Facts::keep( 'one', array( array( 'id' => $odd, 'kind' => 'k', 'order' => '' ) ) );
same( array( $odd ), Facts::known( array( $odd ) ), 'any text is an id' );

// --- routes --------------------------------------------------------------------------------------
$GLOBALS['may'] = array();
same( 403, kassa_test_dispatch( 'GET', '/kassa/v1/facts', array() )[0], 'who may not edit orders is refused' );
$GLOBALS['may'] = array( 'edit_shop_orders' );
$_SERVER['REQUEST_URI'] = '/wp/wp-json/kassa/v1/facts?x=/wp-json/wc/v3';
same( true, Routes::takes_keys( false ), 'WooCommerce looks at keys for our routes' );
$_SERVER['REQUEST_URI'] = '/wp/wp-json/wp/v2/users?x=/wp-json/kassa/v1/';
same( false, Routes::takes_keys( false ), 'and not for others by our leave' );
same( true, Routes::takes_keys( true ), 'its own stay its own' );
unset( $_SERVER['REQUEST_URI'] );
same( false, Routes::takes_keys( false ), 'a request without an address' );

// --- a database that fails -----------------------------------------------------------------------
$GLOBALS['wpdb']->query( 'DROP TABLE wp_kassa_claims' );
$GLOBALS['wpdb']->query( 'DROP TABLE wp_kassa_facts' );
$claim = array( 'kiosk' => 'one', 'claim_id' => 'H-1', 'lease_s' => 60, 'payment' => 'p', 'open' => true );
foreach ( array( array( 'PUT', 'claim' ), array( 'DELETE', 'claim' ), array( 'PUT', 'payment' ) ) as $call ) {
	same( 503, kassa_test_dispatch( $call[0], "/kassa/v1/orders/13/{$call[1]}", $claim )[0], "a failure is no answer: {$call[1]}" );
}
same( 503, kassa_test_dispatch( 'PUT', '/kassa/v1/orders/13/payment', array( 'open' => false ) + $claim )[0], 'nor at an end' );
same( 503, kassa_test_dispatch( 'POST', '/kassa/v1/facts', array( 'kiosk' => 'one', 'facts' => $rows ) )[0], 'nor is a fact kept' );

// --- four counters at once -----------------------------------------------------------------------
fresh();
$go     = sys_get_temp_dir() . '/kassa-go-' . getmypid();
$racers = array();
$orders = 300;
foreach ( array( 'one', 'two', 'three', 'four' ) as $kiosk ) {
	$command = array( PHP_BINARY, '-d', 'display_errors=stderr', __DIR__ . '/racer.php', $kiosk, (string) $orders, $go );
	$pipes   = array();
	$process = proc_open( $command, array( 1 => array( 'pipe', 'w' ) ), $pipes );
	$racers[] = array( $process, $pipes[1] );
}
usleep( 300000 );
touch( $go );
$got = array();
foreach ( $racers as $racer ) {
	$mine = array_filter( explode( "\n", stream_get_contents( $racer[1] ) ) );
	echo count( $mine ), " orders to one counter\n";
	$got = array_merge( $got, $mine );
	proc_close( $racer[0] );
}
unlink( $go );
same( $orders, count( $got ), 'each order went to a counter' );
same( $orders, count( array_unique( $got ) ), 'and none to two' );

// --- the end -------------------------------------------------------------------------------------
fresh();
Facts::keep( 'one', $rows );
define( 'WP_UNINSTALL_PLUGIN', 'kassa-counter' );
require dirname( __DIR__ ) . '/kassa-counter/uninstall.php';
same( false, get_option( Tables::OPTION ), 'uninstalled' );
same( null, $GLOBALS['wpdb']->get_var( "SHOW TABLES LIKE 'wp_kassa_claims'" ), 'claims are gone' );
same( array( 'f-1' ), Facts::known( array( 'f-1' ) ), 'what was reported is kept' );
define( 'KASSA_DELETE_FACTS', true );
require dirname( __DIR__ ) . '/kassa-counter/uninstall.php';
same( null, $GLOBALS['wpdb']->get_var( "SHOW TABLES LIKE 'wp_kassa_facts'" ), 'unless one says otherwise' );

echo "$count checks, $failed failed\n";
exit( $failed ? 1 : 0 );
