<?php
/**
 * The plugin's own two tables.
 *
 * @package KassaCounter
 */

namespace Kassa\Counter;

defined( 'ABSPATH' ) || exit;

/**
 * Words are compared byte by byte (utf8mb4_bin): "H-a" and "H-A" are two claims.
 */
final class Tables {
	const VERSION = '1';
	const OPTION  = 'kassa_counter_tables';

	public static function claims(): string {
		global $wpdb;
		return $wpdb->prefix . 'kassa_claims';
	}

	public static function facts(): string {
		global $wpdb;
		return $wpdb->prefix . 'kassa_facts';
	}

	public static function install_if_old(): void {
		if ( get_option( self::OPTION ) !== self::VERSION ) {
			self::install();
		}
	}

	/**
	 * Make what is missing. What is there is kept.
	 */
	public static function install(): void {
		global $wpdb;
		$claims = self::claims();
		$facts  = self::facts();
		$made   = $wpdb->query(
			"CREATE TABLE IF NOT EXISTS {$claims} (
				order_id BIGINT UNSIGNED NOT NULL PRIMARY KEY,
				claim_id VARCHAR(80) NOT NULL DEFAULT '',
				kiosk VARCHAR(80) NOT NULL DEFAULT '',
				until_s BIGINT UNSIGNED NOT NULL DEFAULT 0,
				payment VARCHAR(80) NOT NULL DEFAULT '',
				seq BIGINT UNSIGNED NOT NULL DEFAULT 0
			) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
		);
		$made   = false !== $made && false !== $wpdb->query(
			"CREATE TABLE IF NOT EXISTS {$facts} (
				seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
				id VARCHAR(80) NOT NULL,
				kiosk VARCHAR(80) NOT NULL,
				kind VARCHAR(80) NOT NULL,
				order_id VARCHAR(80) NOT NULL DEFAULT '',
				at_s BIGINT UNSIGNED NOT NULL,
				UNIQUE KEY id (id),
				KEY kiosk (kiosk, seq)
			) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
		);
		if ( $made ) {
			update_option( self::OPTION, self::VERSION );
		}
	}
}
