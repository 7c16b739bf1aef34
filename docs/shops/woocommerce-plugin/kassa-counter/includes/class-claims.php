<?php
/**
 * Who may charge an order.
 *
 * @package KassaCounter
 */

namespace Kassa\Counter;

defined( 'ABSPATH' ) || exit;

/**
 * Each method is one or two statements, and each statement decides by itself: no transaction, no
 * lock, no reading first. Methods return null where the database failed.
 */
final class Claims {

	/**
	 * Take an order, or renew what is the asker's already. True when it is the asker's now.
	 *
	 * @param int    $order_id Order.
	 * @param string $claim_id The counter's own id of this claim.
	 * @param string $kiosk    Which counter.
	 * @param int    $lease_s  For how long, in seconds by this server's clock.
	 */
	public static function take( int $order_id, string $claim_id, string $kiosk, int $lease_s ): ?bool {
		global $wpdb;
		$table = Tables::claims();
		$now   = time();
		$first = $wpdb->query(
			$wpdb->prepare(
				"INSERT IGNORE INTO {$table} (order_id, claim_id, kiosk, until_s) VALUES (%d, %s, %s, %d)",
				$order_id,
				$claim_id,
				$kiosk,
				$now + $lease_s
			)
		);
		if ( false === $first ) {
			return null;
		}
		if ( 1 === $first ) {
			return true;
		}
		// seq changes each time: MySQL counts the rows that changed, and a renewal within one second
		// would change nothing else.
		$taken = $wpdb->query(
			$wpdb->prepare(
				"UPDATE {$table} SET claim_id = %s, kiosk = %s, until_s = %d, seq = seq + 1
				WHERE order_id = %d AND ( claim_id = '' OR ( claim_id = %s AND kiosk = %s )
					OR ( until_s <= %d AND payment = '' ) )",
				$claim_id,
				$kiosk,
				$now + $lease_s,
				$order_id,
				$claim_id,
				$kiosk,
				$now
			)
		);
		return false === $taken ? null : 1 === $taken;
	}

	/**
	 * Which counter has the order; "" for none.
	 */
	public static function holder( int $order_id ): string {
		global $wpdb;
		$table = Tables::claims();
		return (string) $wpdb->get_var( $wpdb->prepare( "SELECT kiosk FROM {$table} WHERE order_id = %d", $order_id ) );
	}

	/**
	 * Give back this claim, and no other's.
	 */
	public static function release( int $order_id, string $claim_id, string $kiosk ): ?bool {
		global $wpdb;
		$table = Tables::claims();
		$done  = $wpdb->query(
			$wpdb->prepare(
				"UPDATE {$table} SET claim_id = '', payment = '', seq = seq + 1
				WHERE order_id = %d AND claim_id = %s AND kiosk = %s",
				$order_id,
				$claim_id,
				$kiosk
			)
		);
		return false === $done ? null : true;
	}

	/**
	 * A payment is under way or in doubt: nobody else gets the order, however long that takes.
	 */
	public static function open( int $order_id, string $claim_id, string $kiosk, string $payment ): ?bool {
		global $wpdb;
		$table = Tables::claims();
		$done  = $wpdb->query(
			$wpdb->prepare(
				"INSERT INTO {$table} (order_id, claim_id, kiosk, until_s, payment) VALUES (%d, %s, %s, %d, %s)
				ON DUPLICATE KEY UPDATE payment = VALUES(payment), seq = seq + 1",
				$order_id,
				$claim_id,
				$kiosk,
				time(),
				$payment
			)
		);
		return false === $done ? null : true;
	}

	/**
	 * That payment has an end.
	 */
	public static function close( int $order_id, string $payment ): ?bool {
		global $wpdb;
		$table = Tables::claims();
		$done  = $wpdb->query(
			$wpdb->prepare(
				"UPDATE {$table} SET payment = '', seq = seq + 1 WHERE order_id = %d AND payment = %s",
				$order_id,
				$payment
			)
		);
		return false === $done ? null : true;
	}
}
