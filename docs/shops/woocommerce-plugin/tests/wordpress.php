<?php
/**
 * As much of WordPress as the plugin calls, over a real MariaDB or MySQL. The database's socket is
 * in KASSA_TEST_SOCKET; it is written to without asking.
 */

define( 'ABSPATH', __DIR__ . '/' );
mysqli_report( MYSQLI_REPORT_OFF ); // as WordPress: errors are false, not thrown.

final class WP_Error {
	public $code;
	public $message;
	public $data;

	public function __construct( $code, $message, $data ) {
		$this->code    = $code;
		$this->message = $message;
		$this->data    = $data;
	}
}

final class WP_REST_Response {
	public $data;
	public $status;

	public function __construct( $data, $status = 200 ) {
		$this->data   = $data;
		$this->status = $status;
	}
}

final class WP_REST_Request implements ArrayAccess {
	private $params;

	public function __construct( array $params ) {
		$this->params = $params;
	}

	#[ReturnTypeWillChange]
	public function offsetGet( $name ) {
		return $this->params[ $name ] ?? null;
	}

	public function offsetExists( $name ): bool {
		return isset( $this->params[ $name ] );
	}

	public function offsetSet( $name, $value ): void {
		$this->params[ $name ] = $value;
	}

	public function offsetUnset( $name ): void {
		unset( $this->params[ $name ] );
	}
}

/**
 * The plugin's part of wpdb: prepare with %d and %s, query, get_var, get_col.
 */
final class Test_DB {
	public $prefix = 'wp_';
	private $link;

	public function __construct() {
		$this->link = new mysqli( null, 'root', '', 'kassa_test', 0, getenv( 'KASSA_TEST_SOCKET' ) );
		if ( $this->link->connect_errno ) {
			fwrite( STDERR, $this->link->connect_error . "\n" );
			exit( 2 );
		}
		$this->link->set_charset( 'utf8mb4' );
		// As WordPress: no strict mode, so that a value that does not fit is cut and not refused.
		$this->link->query( "SET SESSION sql_mode = ''" );
	}

	public function prepare( $query, ...$values ) {
		$values = is_array( $values[0] ?? null ) ? $values[0] : $values;
		return preg_replace_callback(
			'/%([ds])/',
			function ( $kind ) use ( &$values ) {
				$value = array_shift( $values );
				return 'd' === $kind[1] ? (string) (int) $value : "'" . $this->link->real_escape_string( $value ) . "'";
			},
			$query
		);
	}

	public function query( $query ) {
		$done = $this->link->query( $query );
		if ( false === $done ) {
			return false;
		}
		return preg_match( '/\A\s*(create|drop)/i', $query ) ? true : $this->link->affected_rows;
	}

	public function get_col( $query ) {
		$done = $this->link->query( $query );
		return $done ? array_column( $done->fetch_all(), 0 ) : array();
	}

	public function get_var( $query ) {
		return $this->get_col( $query )[0] ?? null;
	}
}

$GLOBALS['wpdb']    = new Test_DB();
$GLOBALS['options'] = array();
$GLOBALS['routes']  = array();
$GLOBALS['hooks']   = array();
$GLOBALS['may']     = array( 'edit_shop_orders' );

function get_option( $name ) {
	return $GLOBALS['options'][ $name ] ?? false;
}

function update_option( $name, $value ) {
	$GLOBALS['options'][ $name ] = $value;
}

function delete_option( $name ) {
	unset( $GLOBALS['options'][ $name ] );
}

function register_activation_hook( $file, $callback ) {
	$GLOBALS['hooks']['activate'] = $callback;
}

function add_action( $name, $callback ) {
	$GLOBALS['hooks'][ $name ] = $callback;
}

function add_filter( $name, $callback ) {
	add_action( $name, $callback );
}

function register_rest_route( $space, $path, array $route ) {
	$GLOBALS['routes'][] = array( 'path' => "/$space$path" ) + $route;
}

function current_user_can( $capability ) {
	return in_array( $capability, $GLOBALS['may'], true );
}

function rest_get_url_prefix() {
	return 'wp-json';
}

function home_url() {
	return 'https://shop.example/wp';
}

function wp_unslash( $text ) {
	return stripslashes( $text );
}

function wp_parse_url( $url, $part ) {
	return parse_url( $url, $part );
}

/**
 * WP_REST_Server: the first route that fits. Status and what becomes JSON.
 */
function kassa_test_dispatch( $method, $path, array $params ) {
	foreach ( $GLOBALS['routes'] as $route ) {
		if ( $route['methods'] !== $method || ! preg_match( '@^' . $route['path'] . '$@', $path, $found ) ) {
			continue;
		}
		if ( ! call_user_func( $route['permission_callback'] ) ) {
			return array( 403, array( 'code' => 'rest_forbidden', 'message' => '', 'data' => array( 'status' => 403 ) ) );
		}
		$names  = array_filter( $found, 'is_string', ARRAY_FILTER_USE_KEY );
		$answer = call_user_func( $route['callback'], new WP_REST_Request( $names + $params ) );
		if ( $answer instanceof WP_Error ) {
			$body = array( 'code' => $answer->code, 'message' => $answer->message, 'data' => $answer->data );
			return array( $answer->data['status'], $body );
		}
		return $answer instanceof WP_REST_Response ? array( $answer->status, $answer->data ) : array( 200, $answer );
	}
	return array( 404, array( 'code' => 'rest_no_route', 'message' => '', 'data' => array( 'status' => 404 ) ) );
}

require dirname( __DIR__ ) . '/kassa-counter/kassa-counter.php';
call_user_func( $GLOBALS['hooks']['rest_api_init'] );
