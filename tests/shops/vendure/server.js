// A real Vendure on loopback, for tests: node server.js FOLDER PLUGIN PORT CONTROL_PORT
// PLUGIN: the folder of the Kassa plugin, or "". A line "ready" says that both ports answer.
// The control port runs SQL: the oracle of the tests, and how thousands of orders are seeded.
'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');

// Debian 12 has Node 18, where this is no global yet. It is all that Vendure misses there.
globalThis.crypto ??= require('node:crypto').webcrypto;
// The plugin lies outside of this folder and finds its peers here all the same.
process.env.NODE_PATH = path.join(__dirname, 'node_modules');
require('node:module').Module._initPaths();

const {
    bootstrap, DefaultLogger, LanguageCode, LogLevel, PaymentMethodHandler, TransactionalConnection,
} = require('@vendure/core');
const { populate } = require('@vendure/core/cli');

const [folder, plugin, port, controlPort] = process.argv.slice(2);
const database = path.join(folder, 'shop.sqlite');

const payOnPickup = new PaymentMethodHandler({
    code: 'pay-on-pickup',
    description: [{ languageCode: LanguageCode.en, value: 'Pay on pickup' }],
    args: {},
    createPayment: (ctx, order, amount) => ({ amount, state: 'Authorized', transactionId: order.code }),
    settlePayment: () => ({ success: true }),
    cancelPayment: () => ({ success: true }),
});
const payOnline = new PaymentMethodHandler({
    code: 'pay-online',
    description: [{ languageCode: LanguageCode.en, value: 'Pay online' }],
    args: {},
    createPayment: (ctx, order, amount) => ({ amount, state: 'Settled', transactionId: `web-${order.code}` }),
    settlePayment: () => ({ success: true }),
    createRefund: () => ({ state: 'Settled' }),
});

let requests = 0;
const count = (request, response, next) => {
    requests += 1;
    next();
};
const sellers = path.join(folder, 'sellers.json');
const config = {
    apiOptions: { hostname: '127.0.0.1', port: Number(port), adminApiPath: 'admin-api', shopApiPath: 'shop-api',
        middleware: [{ handler: count, route: 'admin-api' }, { handler: count, route: 'shop-api' }] },
    authOptions: {
        tokenMethod: ['bearer'],
        superadminCredentials: { identifier: 'superadmin', password: 'superadmin-of-a-test' },
        sessionDuration: process.env.SESSION_DURATION || '1d',
        sessionCacheTTL: 1,
    },
    dbConnectionOptions: {
        type: 'sqljs', location: database, autoSave: false, synchronize: true, logging: false,
    },
    customFields: {
        Order: [{ name: 'pickupPoint', type: 'string', nullable: true, public: true }],
    },
    paymentOptions: { paymentMethodHandlers: [payOnPickup, payOnline] },
    logger: new DefaultLogger({ level: LogLevel.Warn, timestamp: false }),
    plugins: plugin
        ? [require(path.resolve(plugin)).KassaPlugin.init({
            sellers: fs.existsSync(sellers) ? JSON.parse(fs.readFileSync(sellers, 'utf8')) : undefined,
        })]
        : [],
};

const initialData = {
    defaultLanguage: LanguageCode.en,
    defaultZone: 'Europe',
    countries: [{ name: 'Germany', code: 'DE', zone: 'Europe' }],
    taxRates: [{ name: 'Standard', percentage: 19 }, { name: 'Reduced', percentage: 7 }],
    shippingMethods: [{ name: 'Pickup Mitte', price: 0 }, { name: 'Pickup Hafen', price: 0 }, { name: 'Parcel', price: 499 }],
    paymentMethods: [
        { name: 'Pay on pickup', handler: { code: 'pay-on-pickup', arguments: [] } },
        { name: 'Pay online', handler: { code: 'pay-online', arguments: [] } },
    ],
    collections: [],
};

function control(app) {
    const { rawConnection } = app.get(TransactionalConnection);
    const answer = async ({ sql, params = [], many = [], count: isCount }) => {
        if (isCount) return { requests };
        for (const [query, values] of many) await rawConnection.query(query, values);
        return sql ? rawConnection.query(sql, params) : [];
    };
    const server = http.createServer((request, response) => {
        let body = '';
        request.on('data', chunk => (body += chunk));
        request.on('end', () => answer(JSON.parse(body)).then(
            rows => response.end(JSON.stringify(rows ?? [])),
            error => { response.statusCode = 500; response.end(String(error.stack)); },
        ));
    });
    return new Promise(resolve => server.listen(Number(controlPort), '127.0.0.1', resolve));
}

async function main() {
    const app = await populate(() => bootstrap(config), initialData);
    await control(app);
    console.log('ready');
}

// It never outlives the test that started it.
process.stdin.on('end', () => process.exit()).resume();
main().catch(error => {
    console.error(error);
    process.exit(1);
});
