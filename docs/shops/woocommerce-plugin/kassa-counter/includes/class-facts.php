<?php
/**
 * What counters reported and had its effect.
 *
 * @package KassaCounter
 */

namespace Kassa\Counter;

defined( 'ABSPATH' ) || exit;

/**
 * A fact's id is unique for good. Rows are never changed and never deleted.
 */
final class Facts {

	/**
	 * Keep these. One that is there already is there once. Null where the database failed.
	 *
	 * @param string $kiosk Which counter.
	 * @param array  $facts Each with id, kind and order, all of them texts.
	 */
	public static function keep( string $kiosk, array $facts ): ?int {
		global $wpdb;
		$table  = Tables::facts();
		$places = array();
		$values = array();
		foreach ( $facts as $fact ) {
			$places[] = '(%s, %s, %s, %s, %d)';
			array_push( $values, $fact['id'], $kiosk, $fact['kind'], $fact['order'], time() );
		}
		$rows = implode( ', ', $places );
		$done = $wpdb->query(
			// phpcs:ignore WordPress.DB.PreparedSQLPlaceholders -- one group of them for each fact.
			$wpdb->prepare( "INSERT IGNORE INTO {$table} (id, kiosk, kind, order_id, at_s) VALUES {$rows}", $values )
		);
		return false === $done ? null : count( $facts );
	}

	/**
	 * Those of these ids that are here, in the order in which they are asked for.
	 *
	 * @param string[] $ids At most fifty.
	 */
	public static function known( array $ids ): array {
		global $wpdb;
		if ( ! $ids ) {
			return array();
		}
		$table  = Tables::facts();
		$places = implode( ', ', array_fill( 0, count( $ids ), '%s' ) );
		// phpcs:ignore WordPress.DB.PreparedSQLPlaceholders -- one for each id.
		$found = $wpdb->get_col( $wpdb->prepare( "SELECT id FROM {$table} WHERE id IN ({$places})", $ids ) );
		return array_values( array_intersect( $ids, $found ) );
	}

	/**
	 * The id of this counter's newest, or "".
	 */
	public static function newest( string $kiosk ): string {
		global $wpdb;
		$table = Tables::facts();
		return (string) $wpdb->get_var(
			$wpdb->prepare( "SELECT id FROM {$table} WHERE kiosk = %s ORDER BY seq DESC LIMIT 1", $kiosk )
		);
	}

	/**
	 * Whether this counter's fact is here.
	 */
	public static function has( string $kiosk, string $id ): bool {
		global $wpdb;
		$table = Tables::facts();
		return null !== $wpdb->get_var(
			$wpdb->prepare( "SELECT id FROM {$table} WHERE kiosk = %s AND id = %s", $kiosk, $id )
		);
	}
}
