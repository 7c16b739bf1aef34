<?php
/**
 * The plugin's REST routes, below /wp-json/kassa/v1.
 *
 * @package KassaCounter
 */

namespace Kassa\Counter;

defined( 'ABSPATH' ) || exit;

/**
 * Who asks needs a key of WooCommerce's REST API whose user may edit orders.
 */
final class Routes {
	const SPACE           = 'kassa/v1';
	const MOST_FACTS      = 50;
	const LONGEST_LEASE_S = 7200;
	const WORD            = '/\A[^\x00-\x1f\x7f]{1,80}\z/u';

	public static function register(): void {
		$order = '/orders/(?P<order_id>[0-9]+)';
		self::route( $order . '/claim', 'PUT', 'claim' );
		self::route( $order . '/claim', 'DELETE', 'release' );
		self::route( $order . '/payment', 'PUT', 'payment' );
		self::route( '/facts', 'GET', 'known' );
		self::route( '/facts', 'POST', 'keep' );
	}

	private static function route( string $path, string $method, string $callback ): void {
		register_rest_route(
			self::SPACE,
			$path,
			array(
				'methods'             => $method,
				'callback'            => array( self::class, $callback ),
				'permission_callback' => array( self::class, 'is_allowed' ),
			)
		);
	}

	/**
	 * Whether WooCommerce shall look at the request's key: for its own routes, and for ours.
	 *
	 * @param bool $is_theirs What it says itself.
	 */
	public static function takes_keys( $is_theirs ) {
		$uri  = isset( $_SERVER['REQUEST_URI'] ) ? wp_unslash( $_SERVER['REQUEST_URI'] ) : ''; // phpcs:ignore WordPress.Security.ValidatedSanitizedInput -- only compared.
		$path = (string) wp_parse_url( $uri, PHP_URL_PATH );
		$home = rtrim( (string) wp_parse_url( home_url(), PHP_URL_PATH ), '/' );
		$ours = $home . '/' . rest_get_url_prefix() . '/' . self::SPACE . '/';
		return $is_theirs || 0 === strpos( $path, $ours );
	}

	public static function is_allowed(): bool {
		return current_user_can( 'edit_shop_orders' );
	}

	public static function claim( \WP_REST_Request $request ) {
		$kiosk   = self::word( $request['kiosk'] );
		$claim   = self::word( $request['claim_id'] );
		$lease_s = $request['lease_s'];
		if ( null === $kiosk ) {
			return self::bad( 'kiosk' );
		}
		if ( null === $claim ) {
			return self::bad( 'claim_id' );
		}
		if ( ! is_int( $lease_s ) || $lease_s < 1 || $lease_s > self::LONGEST_LEASE_S ) {
			return self::bad( 'lease_s' );
		}
		$order_id = (int) $request['order_id'];
		$granted  = Claims::take( $order_id, $claim, $kiosk, $lease_s );
		if ( null === $granted ) {
			return self::broken();
		}
		if ( ! $granted ) {
			$holder = Claims::holder( $order_id );
			return new \WP_REST_Response(
				array(
					'granted' => false,
					'lease_s' => 0,
					'holder'  => $holder,
				),
				409
			);
		}
		return array(
			'granted' => true,
			'lease_s' => $lease_s,
			'holder'  => $kiosk,
		);
	}

	public static function release( \WP_REST_Request $request ) {
		$kiosk = self::word( $request['kiosk'] );
		$claim = self::word( $request['claim_id'] );
		if ( null === $kiosk ) {
			return self::bad( 'kiosk' );
		}
		if ( null === $claim ) {
			return self::bad( 'claim_id' );
		}
		$done = Claims::release( (int) $request['order_id'], $claim, $kiosk );
		return null === $done ? self::broken() : array( 'released' => true );
	}

	public static function payment( \WP_REST_Request $request ) {
		$kiosk   = self::word( $request['kiosk'] );
		$claim   = self::word( $request['claim_id'] );
		$payment = self::word( $request['payment'] );
		foreach ( compact( 'kiosk', 'claim', 'payment' ) as $name => $word ) {
			if ( null === $word ) {
				return self::bad( 'claim' === $name ? 'claim_id' : $name );
			}
		}
		$is_open = $request['open'];
		if ( ! is_bool( $is_open ) ) {
			return self::bad( 'open' );
		}
		$order_id = (int) $request['order_id'];
		$done     = $is_open
			? Claims::open( $order_id, $claim, $kiosk, $payment )
			: Claims::close( $order_id, $payment );
		return null === $done ? self::broken() : array( 'open' => $is_open );
	}

	public static function known( \WP_REST_Request $request ) {
		$kiosk = self::word( $request['kiosk'] );
		if ( null === $kiosk ) {
			return self::bad( 'kiosk' );
		}
		$ids = array_values( array_filter( explode( ',', (string) $request['ids'] ), 'strlen' ) );
		if ( count( $ids ) > self::MOST_FACTS ) {
			return self::bad( 'ids' );
		}
		return array(
			'newest'    => Facts::newest( $kiosk ),
			'has_after' => Facts::has( $kiosk, (string) $request['after'] ),
			'known'     => Facts::known( $ids ),
		);
	}

	public static function keep( \WP_REST_Request $request ) {
		$kiosk = self::word( $request['kiosk'] );
		if ( null === $kiosk ) {
			return self::bad( 'kiosk' );
		}
		$facts = $request['facts'];
		if ( ! is_array( $facts ) || ! $facts || count( $facts ) > self::MOST_FACTS ) {
			return self::bad( 'facts' );
		}
		$rows = array();
		foreach ( $facts as $fact ) {
			if ( ! is_array( $fact ) ) {
				return self::bad( 'facts' );
			}
			$order = $fact['order'] ?? '';
			if ( ! is_string( $order ) || strlen( $order ) > 80 ) {
				return self::bad( 'facts' );
			}
			$row = array(
				'id'    => self::word( $fact['id'] ?? null ),
				'kind'  => self::word( $fact['kind'] ?? null ),
				'order' => $order,
			);
			foreach ( $row as $name => $word ) {
				if ( null === $word ) {
					return self::bad( $name );
				}
			}
			$rows[] = $row;
		}
		$kept = Facts::keep( $kiosk, $rows );
		return null === $kept ? self::broken() : array( 'accepted' => $kept );
	}

	/**
	 * The text, where it is one of 1 to 80 characters without control characters.
	 *
	 * @param mixed $value Whatever was sent.
	 */
	private static function word( $value ): ?string {
		return is_string( $value ) && 1 === preg_match( self::WORD, $value ) ? $value : null;
	}

	private static function bad( string $name ): \WP_Error {
		return new \WP_Error( 'kassa_invalid', $name, array( 'status' => 400 ) );
	}

	private static function broken(): \WP_Error {
		// 503, so that the counter comes again: nothing was decided.
		return new \WP_Error( 'kassa_database', 'The database did not take it.', array( 'status' => 503 ) );
	}
}
