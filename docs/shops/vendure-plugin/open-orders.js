// A cheap answer to "has anything changed at this pickup point?". Vendure's own updatedAt cannot
// tell: settling and refunding leave it as it is.
'use strict';

const { createHash } = require('node:crypto');
const { Order, Payment, Refund } = require('@vendure/core');

const OPEN = [
    'PaymentAuthorized',
    'PaymentSettled',
    'ArrangingAdditionalPayment',
    'Modifying',
    'PartiallyShipped',
    'Shipped',
    'PartiallyDelivered',
];
/** Kiosks of one pickup point that ask within this time share one look into the database. */
const SHARED_MS = 500;
const MOST_SHARED = 1000;
const FIELD = /^field:([A-Za-z][A-Za-z0-9_]{0,40})$/;

class OpenOrders {
    constructor(connection) {
        this.connection = connection;
        this.shared = new Map();
    }

    /** Map of order id -> mark, and the revision of it all. */
    find(ctx, pickupPoint, by) {
        const key = JSON.stringify([ctx.channelId, pickupPoint, by]);
        const known = this.shared.get(key);
        if (known && Date.now() - known.at < SHARED_MS) return known.found;
        if (this.shared.size >= MOST_SHARED) this.shared.clear();
        const found = this.look(ctx, pickupPoint, by);
        this.shared.set(key, { at: Date.now(), found });
        // A look that failed is nobody's answer but its own caller's.
        found.catch(() => this.shared.delete(key));
        return found;
    }

    async look(ctx, pickupPoint, by) {
        const rows = (alias, query) => this.only(ctx, query, pickupPoint, by).getRawMany();
        const repository = entity => this.connection.getRepository(ctx, entity);
        const orders = await rows('o', repository(Order)
            .createQueryBuilder('o')
            .select('o.id', 'id').addSelect('o.state', 'state').addSelect('o.updatedAt', 'at')
            .addSelect('o.subTotalWithTax', 'goods').addSelect('o.shippingWithTax', 'shipping'));
        const payments = await rows('p', repository(Payment)
            .createQueryBuilder('p').innerJoin('p.order', 'o')
            .select('o.id', 'id').addSelect('p.state', 'state')
            .addSelect('COUNT(p.id)', 'count').addSelect('SUM(p.amount)', 'sum')
            .groupBy('o.id').addGroupBy('p.state').orderBy('o.id').addOrderBy('p.state'));
        const refunds = await rows('r', repository(Refund)
            .createQueryBuilder('r').innerJoin('r.payment', 'p').innerJoin('p.order', 'o')
            .select('o.id', 'id').addSelect('r.state', 'state')
            .addSelect('COUNT(r.id)', 'count').addSelect('SUM(r.total)', 'sum')
            .groupBy('o.id').addGroupBy('r.state').orderBy('o.id').addOrderBy('r.state'));
        const said = new Map(orders.map(row => [String(row.id), [row]]));
        for (const row of [...payments, ...refunds]) said.get(String(row.id))?.push(row);
        const marks = new Map();
        const whole = createHash('sha256');
        for (const [id, row] of said) {
            const mark = createHash('sha256').update(JSON.stringify(row)).digest('hex').slice(0, 16);
            marks.set(id, mark);
            whole.update(`${id} ${mark}\n`);
        }
        return { marks, revision: whole.digest('hex').slice(0, 32) };
    }

    only(ctx, query, pickupPoint, by) {
        query
            .innerJoin('o.channels', 'channel', 'channel.id = :channel', { channel: ctx.channelId })
            .andWhere('o.state IN (:...open)', { open: OPEN })
            .addOrderBy('o.id');
        const field = FIELD.exec(by);
        if (field) return query.andWhere(`o.customFields.${field[1]} = :pickupPoint`, { pickupPoint });
        return query
            .innerJoin('o.shippingLines', 'line')
            .innerJoin('line.shippingMethod', 'method')
            .andWhere('method.code = :pickupPoint', { pickupPoint });
    }
}

module.exports = { OpenOrders };
