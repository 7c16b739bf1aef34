// What the plugin adds to the Admin API.
'use strict';

const { gql } = require('graphql-tag');

module.exports.schema = gql`
    type KassaInfo {
        version: Int!
        "Whose session this is: kiosks are known by their administrators."
        kiosk: String!
        "Sellers by their badges' hashes, or null where the shop keeps none."
        sellers: JSON
    }

    type KassaOpenOrder {
        id: ID!
        "Changes whenever state, sums, payments or refunds of the order do."
        mark: String!
    }

    type KassaOpenOrders {
        revision: String!
        "Null when the revision is the one that was asked with."
        orders: [KassaOpenOrder!]
    }

    type KassaClaimResult {
        "Whether the order is this kiosk's now."
        granted: Boolean!
        "Whether it was so before."
        renewed: Boolean!
        "Who has it."
        holder: String!
        "As it is after the claim; null when there is none."
        order: Order
    }

    input KassaFactInput {
        id: String!
        kind: String!
        subject: String!
        at: String!
        seller: String!
        "Of a fact about an order."
        order: String!
        "The claim that a fact is about, or ''."
        claim: String!
        "The kiosk's own id of a payment, or ''."
        payment: String!
        "Of a payment: the shop's units as digits, or ''."
        amount: String!
        currency: String!
        "What the terminal knows the payment by."
        reference: String!
        body: JSON!
    }

    type KassaFactsResult {
        "All facts of the request, new and known ones; 0 when none was kept."
        accepted: Int!
        "The fact that can never be taken, or ''."
        refused: String!
        reason: String!
        "The fact named by 'after' is not here: the newest one of this kiosk is, or ''."
        forgot: String
    }

    extend type Query {
        kassa: KassaInfo!
        kassaOpenOrders(pickupPoint: String!, by: String!, revision: String!): KassaOpenOrders!
    }

    extend type Mutation {
        kassaClaim(orderId: ID!, claimId: String!, leaseS: Int!): KassaClaimResult!
        kassaRelease(orderId: ID!, claimId: String!): Boolean!
        kassaFacts(facts: [KassaFactInput!]!, after: String!): KassaFactsResult!
        kassaHealth(report: JSON!): Boolean!
    }
`;
