// What the plugin keeps: four tables of its own. No column of Vendure's tables is touched, but for
// the custom field that names an order's pickup point.
//
// Plain JavaScript: decorators are called by hand, so that no build step stands between this folder
// and a shop.
'use strict';

const { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } = require('typeorm');

/** Who has an order. A row stays when the claim ends: claimId is '' then. */
class KassaClaim {}
/** Every fact that a kiosk told, for good: this is what a repeat is known by. */
class KassaFact {}
/** Which Vendure payment holds what a kiosk charged: one row a payment of a kiosk's. */
class KassaPayment {}
/** The newest report of each kiosk. */
class KassaHealth {}

function table(entity, name, columns) {
    for (const [column, decorators] of Object.entries(columns)) {
        for (const decorate of decorators) decorate(entity.prototype, column);
    }
    Entity(name)(entity);
}

const text = (length = 80) => Column({ type: 'varchar', length, default: '' });

table(KassaClaim, 'kassa_claim', {
    orderId: [PrimaryColumn({ type: 'varchar', length: 80 })],
    kiosk: [text(255)],
    claimId: [text()],
    // Milliseconds since 1970, by the shop's clock. Drivers give bigint as text: see Number() below.
    until: [Column({ type: 'bigint', default: 0 })],
    openPayment: [text()],
});
table(KassaFact, 'kassa_fact', {
    seq: [PrimaryGeneratedColumn()],
    id: [Column({ type: 'varchar', length: 80 }), Index({ unique: true })],
    kiosk: [text(255), Index()],
    kind: [text()],
    subject: [text()],
    at: [text(40)],
    seller: [text()],
    orderId: [text(), Index()],
    body: [Column({ type: 'text' })],
    // What the office has to look at, in words; '' for nothing.
    flag: [text(255)],
});
table(KassaPayment, 'kassa_payment', {
    payment: [PrimaryColumn({ type: 'varchar', length: 80 })],
    orderId: [text()],
    vendurePayment: [text()],
    amount: [Column({ type: 'bigint', default: 0 })],
});
table(KassaHealth, 'kassa_health', {
    kiosk: [PrimaryColumn({ type: 'varchar', length: 255 })],
    report: [Column({ type: 'text' })],
    at: [text(40)],
});

module.exports = { KassaClaim, KassaFact, KassaHealth, KassaPayment };
