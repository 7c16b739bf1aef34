// Kassa pickup counters for Vendure. See README.md beside this file.
'use strict';

const { Inject } = require('@nestjs/common');
const { Args, Mutation, Query, Resolver } = require('@nestjs/graphql');
const {
    Allow, Ctx, OrderService, PaymentService, Permission, PluginCommonModule,
    TransactionalConnection, VendurePlugin,
} = require('@vendure/core');
const { Ledger, Refused } = require('./ledger');
const { OpenOrders } = require('./open-orders');
const { schema } = require('./schema');
const { KassaClaim, KassaFact, KassaHealth, KassaPayment } = require('./tables');

const VERSION = 1;
const MOST_FACTS = 100;
const LONGEST_LEASE_S = 7200;
const TRIES = 3;
const NOTHING = { accepted: 0, refused: '', reason: '', forgot: null };

class KassaResolver {
    constructor(connection, orders, payments) {
        this.connection = connection;
        this.orders = orders;
        this.ledger = new Ledger(connection, orders, payments);
        this.open = new OpenOrders(connection);
    }

    kassa(ctx) {
        return { version: VERSION, kiosk: kioskOf(ctx), sellers: KassaPlugin.options.sellers || null };
    }

    async kassaOpenOrders(ctx, { pickupPoint, by, revision }) {
        const found = await this.open.find(ctx, pickupPoint, by);
        if (found.revision === revision) return { revision, orders: null };
        const orders = [...found.marks].map(([id, mark]) => ({ id, mark }));
        return { revision: found.revision, orders };
    }

    /** Compare and set, in one statement of the database: of two kiosks exactly one succeeds. */
    async kassaClaim(ctx, { orderId, claimId, leaseS }) {
        const order = await this.orders.findOne(ctx, orderId);
        if (!order) return { granted: false, renewed: false, holder: '', order: null };
        const kiosk = kioskOf(ctx);
        const now = Date.now();
        const until = now + 1000 * Math.max(1, Math.min(leaseS, LONGEST_LEASE_S));
        const key = String(order.id);
        const claims = this.connection.getRepository(ctx, KassaClaim);
        await claims.createQueryBuilder().insert().values({ orderId: key }).orIgnore().execute();
        const before = await claims.findOneBy({ orderId: key });
        await claims
            .createQueryBuilder()
            .update()
            .set({ kiosk, claimId, until })
            .where('orderId = :key', { key })
            .andWhere(
                `((claimId = '' AND openPayment = '')
                  OR (kiosk = :kiosk AND claimId = :claimId)
                  OR (until < :now AND openPayment = ''))`,
                { kiosk, claimId, now },
            )
            .execute();
        const after = await claims.findOneBy({ orderId: key });
        const isMine = claim => claim.kiosk === kiosk && claim.claimId === claimId;
        return {
            granted: isMine(after),
            renewed: isMine(before),
            holder: after.kiosk,
            order: await this.orders.findOne(ctx, orderId),
        };
    }

    async kassaRelease(ctx, { orderId, claimId }) {
        await this.ledger.putBack(ctx, kioskOf(ctx), { order: orderId, claim: claimId });
        return true;
    }

    async kassaFacts(ctx, { facts, after }) {
        if (facts.length > MOST_FACTS) throw new Error(`more than ${MOST_FACTS} facts`);
        for (let tries = 1; ; tries += 1) {
            const place = { fact: undefined };
            try {
                return await this.connection.withTransaction(ctx, inside =>
                    this.takeAll(inside, kioskOf(ctx), facts, after, place),
                );
            } catch (error) {
                if (error instanceof Refused) {
                    return { ...NOTHING, refused: place.fact.id, reason: error.message };
                }
                // A repeat that came while the first was still at work: its row is there by now.
                const known = this.connection.getRepository(ctx, KassaFact);
                const isRepeat = place.fact && (await known.findOneBy({ id: place.fact.id }));
                if (!isRepeat || tries === TRIES) throw error; // the kiosk comes back
            }
        }
    }

    async takeAll(ctx, kiosk, facts, after, place) {
        const known = this.connection.getRepository(ctx, KassaFact);
        if (after && !(await known.findOneBy({ id: after, kiosk }))) {
            const [newest] = await known.find({ where: { kiosk }, order: { seq: 'DESC' }, take: 1 });
            return { ...NOTHING, forgot: newest ? newest.id : '' };
        }
        for (const fact of facts) {
            place.fact = fact;
            if (!(await known.findOneBy({ id: fact.id }))) await this.take(ctx, kiosk, known, fact);
        }
        return { ...NOTHING, accepted: facts.length };
    }

    /** The fact's row and its effect are one transaction; the row's unique id stops a second one
     *  that comes at the same time. */
    async take(ctx, kiosk, known, fact) {
        const { id, kind, subject, at, seller, order, body } = fact;
        await known.insert({
            id, kind, subject, at, seller, kiosk, orderId: order, body: JSON.stringify(body), flag: '',
        });
        const flag = await this.ledger.apply(ctx, kiosk, fact);
        if (flag) await known.update({ id }, { flag: flag.slice(0, 255) });
    }

    async kassaHealth(ctx, { report }) {
        await this.connection.getRepository(ctx, KassaHealth).save({
            kiosk: kioskOf(ctx),
            report: JSON.stringify(report).slice(0, 65_536),
            at: new Date().toISOString(),
        });
        return true;
    }
}

/** The administrator's name: each kiosk has an administrator of its own. */
function kioskOf(ctx) {
    return ctx.session.user.identifier;
}

Resolver()(KassaResolver);
[TransactionalConnection, OrderService, PaymentService].forEach((service, place) =>
    Inject(service)(KassaResolver, undefined, place),
);
for (const [name, decorator, permission] of [
    ['kassa', Query, Permission.ReadOrder],
    ['kassaOpenOrders', Query, Permission.ReadOrder],
    ['kassaClaim', Mutation, Permission.UpdateOrder],
    ['kassaRelease', Mutation, Permission.UpdateOrder],
    ['kassaFacts', Mutation, Permission.UpdateOrder],
    ['kassaHealth', Mutation, Permission.UpdateOrder],
]) {
    const { prototype } = KassaResolver;
    const method = Object.getOwnPropertyDescriptor(prototype, name);
    Ctx()(prototype, name, 0);
    Args()(prototype, name, 1);
    Allow(permission)(prototype, name, method);
    decorator()(prototype, name, method);
}

class KassaPlugin {
    /** options.sellers: {salt, iterations, sellers: [{id, name, badge_hash}]}, as the shop API has it. */
    static init(options = {}) {
        KassaPlugin.options = options;
        return KassaPlugin;
    }
}
KassaPlugin.options = {};

VendurePlugin({
    imports: [PluginCommonModule],
    entities: [KassaClaim, KassaFact, KassaHealth, KassaPayment],
    adminApiExtensions: { schema, resolvers: [KassaResolver] },
    compatibility: '^3.7.0',
})(KassaPlugin);

module.exports = { KassaPlugin };
