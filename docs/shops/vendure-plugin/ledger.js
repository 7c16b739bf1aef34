// What each fact of a kiosk does to the shop's books. Called inside one transaction with the fact's
// own row, and once a fact: the caller has sorted out the repeats.
'use strict';

const { FulfillmentLine, isGraphQlErrorResult, Order } = require('@vendure/core');
const { KassaClaim, KassaPayment } = require('./tables');

const LARGEST_AMOUNT = 999_999_999_999;
const LOCKING = new Set(['postgres', 'mysql', 'mariadb', 'aurora-mysql', 'aurora-postgres']);

/** The shop can never book this fact. */
class Refused extends Error {}

class Ledger {
    constructor(connection, orders, payments) {
        this.connection = connection;
        this.orders = orders;
        this.payments = payments;
        this.effects = {
            'payment.approved': this.paid,
            'payment.decided_paid': this.paid,
            'payment.declined': this.resolved,
            'payment.decided_not_paid': this.resolved,
            'payment.started': this.started,
            'payment.unresolved': this.unresolved,
            'handover.handed_over': this.handedOver,
            'handover.put_back': this.putBack,
        };
    }

    /** Do what the fact says. Returns what the office has to look at, or ''. */
    async apply(ctx, kiosk, fact) {
        const effect = this.effects[fact.kind];
        if (!effect) return ''; // kept, and nothing more
        const order = await this.orders.findOne(ctx, fact.order);
        if (!order) throw new Refused(`there is no order ${fact.order}`);
        await this.lock(ctx, order);
        const flag = (await effect.call(this, ctx, kiosk, fact, order)) || '';
        if (flag) await this.note(ctx, order, `Kassa, for the office: ${flag} (fact ${fact.id})`);
        return flag;
    }

    /** Nobody pays, cancels or changes the order until this transaction ends. */
    async lock(ctx, order) {
        if (!LOCKING.has(this.connection.rawConnection.options.type)) return; // one writer anyhow
        await this.connection.getRepository(ctx, Order)
            .createQueryBuilder('o').setLock('pessimistic_write')
            .where('o.id = :id', { id: order.id }).getOne();
    }

    note(ctx, order, note) {
        return this.orders.addNoteToOrder(ctx, { id: order.id, note, isPublic: false });
    }

    async paid(ctx, kiosk, fact, order) {
        if (!fact.payment) throw new Refused('the payment has no id');
        if (!/^[0-9]{1,12}$/.test(fact.amount)) throw new Refused('the amount is no amount');
        const amount = Number(fact.amount);
        if (!(amount > 0 && amount <= LARGEST_AMOUNT)) throw new Refused('the amount is no amount');
        if (fact.currency !== order.currencyCode) {
            throw new Refused(`the currency is not the order's, ${order.currencyCode}`);
        }
        const repository = this.connection.getRepository(ctx, KassaPayment);
        if (await repository.findOneBy({ payment: fact.payment })) {
            return this.resolved(ctx, kiosk, fact, order);
        }
        const outstanding = order.totalWithTax - (await this.covered(ctx, order));
        let flag = '';
        if (order.state === 'Cancelled') flag = `paid ${amount} while cancelled: money back is due`;
        else if (amount > outstanding) flag = `paid ${amount} of ${outstanding} due: money back is due`;
        else if (amount < outstanding) flag = `paid ${amount} of ${outstanding} due: the rest is open`;
        else flag = await this.cancelAuthorised(ctx, order);
        // The amount is what the card was charged, whatever Vendure thinks is outstanding by now.
        const payment = await this.payments.createManualPayment(ctx, order, amount, {
            orderId: order.id,
            method: 'kassa',
            transactionId: fact.reference || fact.payment,
            metadata: { kassaPayment: fact.payment, kassaFact: fact.id, kiosk, ...fact.body },
        });
        await repository.insert({
            payment: fact.payment,
            orderId: String(order.id),
            vendurePayment: String(payment.id),
            amount,
        });
        const now = await this.orders.findOne(ctx, order.id);
        if (now.state === 'ArrangingAdditionalPayment' && !flag) {
            flag = this.words(await this.orders.transitionToState(ctx, order.id, 'PaymentSettled'));
        }
        await this.resolved(ctx, kiosk, fact, order);
        return flag;
    }

    /** What settled payments cover, less refunds, in the shop's units. */
    async covered(ctx, order) {
        let sum = 0;
        for (const payment of await this.orders.getOrderPayments(ctx, order.id)) {
            if (payment.state !== 'Settled') continue;
            sum += payment.amount;
            for (const refund of payment.refunds) if (refund.state !== 'Failed') sum -= refund.total;
        }
        return sum;
    }

    /** "Pay on pickup" was a promise: it is over when the money is there. */
    async cancelAuthorised(ctx, order) {
        for (const payment of await this.orders.getOrderPayments(ctx, order.id)) {
            if (payment.state !== 'Authorized') continue;
            const words = this.words(await this.orders.cancelPayment(ctx, payment.id));
            if (words) return `payment ${payment.id} is still authorised: ${words}`;
        }
        return '';
    }

    words(result) {
        return isGraphQlErrorResult(result) ? result.transitionError || result.message : '';
    }

    async resolved(ctx, kiosk, fact) {
        await this.claims(ctx).update(
            { orderId: fact.order, openPayment: fact.payment },
            { openPayment: '' },
        );
        return '';
    }

    async started(ctx, kiosk, fact) {
        const payment = { payment: fact.payment };
        if (await this.connection.getRepository(ctx, KassaPayment).findOneBy(payment)) return '';
        const claims = this.claims(ctx);
        const row = { orderId: fact.order, kiosk, claimId: fact.claim, until: 0 };
        await claims.createQueryBuilder().insert().values(row).orIgnore().execute();
        await claims.update({ orderId: fact.order }, { openPayment: fact.payment });
        return '';
    }

    async unresolved(ctx, kiosk, fact, order) {
        await this.started(ctx, kiosk, fact, order);
        return `nobody can tell yet whether payment ${fact.payment} was taken`;
    }

    async handedOver(ctx, kiosk, fact, order) {
        await this.end(ctx, { orderId: fact.order });
        const lines = await this.unfulfilled(ctx, order);
        if (order.state === 'Cancelled') return 'handed over while cancelled';
        if (lines.length) {
            const words = this.words(await this.orders.createFulfillment(ctx, {
                lines,
                handler: {
                    code: 'manual-fulfillment',
                    arguments: [
                        { name: 'method', value: 'Kassa' },
                        { name: 'trackingCode', value: fact.id },
                    ],
                },
            }));
            if (words) return `handed over, but Vendure does not record it: ${words}`;
        }
        const next = { Pending: ['Shipped', 'Delivered'], Shipped: ['Delivered'] };
        for (const { id, state } of await this.orders.getOrderFulfillments(ctx, order)) {
            for (const to of next[state] || []) {
                const words = this.words(
                    await this.orders.transitionFulfillmentToState(ctx, id, to),
                );
                if (words) return `handed over, but Vendure does not record it: ${words}`;
            }
        }
        return '';
    }

    async unfulfilled(ctx, order) {
        const done = new Map();
        for (const fulfillment of await this.orders.getOrderFulfillments(ctx, order)) {
            if (fulfillment.state === 'Cancelled') continue;
            const lines = await this.connection.getRepository(ctx, FulfillmentLine)
                .findBy({ fulfillmentId: fulfillment.id });
            for (const { orderLineId, quantity } of lines) {
                done.set(String(orderLineId), (done.get(String(orderLineId)) || 0) + quantity);
            }
        }
        return order.lines
            .map(({ id, quantity }) => ({
                orderLineId: id,
                quantity: quantity - (done.get(String(id)) || 0),
            }))
            .filter(line => line.quantity > 0);
    }

    async putBack(ctx, kiosk, fact) {
        await this.end(ctx, { orderId: fact.order, kiosk, claimId: fact.claim });
        return '';
    }

    async end(ctx, which) {
        await this.claims(ctx).update(which, { claimId: '' });
    }

    claims(ctx) {
        return this.connection.getRepository(ctx, KassaClaim);
    }
}

module.exports = { Ledger, Refused };
