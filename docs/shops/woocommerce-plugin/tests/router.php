<?php
/**
 * For `php -S`: the plugin over HTTP, without WordPress' own checks of who asks. X-Test-Now is the
 * time, where a test gives one.
 */

require __DIR__ . '/wordpress.php';
require __DIR__ . '/clock.php';

if ( isset( $_SERVER['HTTP_X_TEST_NOW'] ) ) {
	$GLOBALS['test_now'] = (int) $_SERVER['HTTP_X_TEST_NOW'];
}
call_user_func( $GLOBALS['hooks']['activate'] );
$path = preg_replace( '@^/wp-json@', '', parse_url( $_SERVER['REQUEST_URI'], PHP_URL_PATH ) );
if ( '/kassa/v1' === rtrim( $path, '/' ) ) {
	$answer = array( 200, array( 'namespace' => 'kassa/v1', 'routes' => array() ) );
} else {
	$body   = json_decode( file_get_contents( 'php://input' ), true );
	$answer = kassa_test_dispatch( $_SERVER['REQUEST_METHOD'], $path, ( is_array( $body ) ? $body : array() ) + $_GET );
}
http_response_code( $answer[0] );
header( 'Content-Type: application/json; charset=UTF-8' );
echo json_encode( $answer[1] );
