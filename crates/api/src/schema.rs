//! How identities and words look in the API description. Only descriptions: nothing is parsed here.

use std::borrow::Cow;

use serde_json::json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// Declares texts of a fixed form.
macro_rules! texts {
    ($($(#[doc = $doc:literal])* $name:ident, $pattern:literal, $example:literal;)*) => {
        $(
            $(#[doc = $doc])*
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .description(Some(concat!($($doc),*).trim_start()))
                        .pattern(Some($pattern))
                        .examples([json!($example)])
                        .into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*
    };
}

texts! {
    /// An Ethereum address in lower-case hex.
    Address, "^0x[0-9a-f]{40}$", "0xd00354656922168815fcd1e51cbddb9e359e3c7f";
    /// A job's pseudonym, the same for every party that reports on it, in lower-case hex.
    JobId, "^[0-9a-f]{32}$", "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    /// A SHA-256 digest in lower-case hex.
    Digest, "^[0-9a-f]{64}$", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    /// A publisher's Ed25519 key in lower-case hex.
    PublisherKey, "^[0-9a-f]{64}$", "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    /// An Ed25519 signature in lower-case hex.
    BatchSignature, "^[0-9a-f]{128}$", "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
    /// A window: an hour in UTC, or a span that ends with that hour. In a path its slash is written `%2F`.
    Window, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}Z(/(24h|7d|28d))?$", "2026-01-08T21Z";
    /// An hour in UTC.
    Hour, "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}Z$", "2026-01-08T21Z";
    /// The service URL of an orchestrator.
    ServiceUrl, "^https?://.+:[0-9]+$", "https://orchestrator.example:8935";
    /// An address's signature by EIP-191 in lower-case hex, with `v` of 27 or 28.
    AddressSignature, "^0x[0-9a-f]{130}$", "0xe5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b1b";
    /// A refusal's stable code.
    RefusalCode, "^E-[A-Z0-9-]+$", "E-SIGNER-UNKNOWN";
}

/// Declares closed sets of words; the list comes from the set itself.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident = $set:ty;)*) => {
        $(
            $(#[doc = $doc])*
            pub struct $name;

            impl PartialSchema for $name {
                fn schema() -> RefOr<Schema> {
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .description(Some(concat!($($doc),*).trim_start()))
                        .enum_values(Some(<$set>::ALL.iter().map(|word| word.as_str())))
                        .into()
                }
            }

            impl ToSchema for $name {
                fn name() -> Cow<'static, str> {
                    stringify!($name).into()
                }
            }
        )*
    };
}

words! {
    /// The network. An answer is about one network only.
    Network = events::event::Network;
    /// What a node does.
    Role = events::event::Role;
    /// The kind of work.
    Workload = events::event::Workload;
    /// Whether users asked for the work (`organic`) or it was a test (`probe`).
    Origin = events::event::Origin;
    /// The kind of a statement.
    Kind = events::body::Kind;
    /// Why work failed, ended early or changed hands.
    Reason = events::body::Reason;
    /// How much independent evidence supports a score: A three or more sources, B two, C one, D only unsigned feeds.
    Grade = sla::scorecard::Grade;
    /// How a score changed from one window to the next.
    Change = sla::change::What;
    /// Whether reports were signed by those who saw it (`signed`) or collected from an unsigned feed (`collected`).
    Provenance = crate::scope::Provenance;
    /// The time that each row covers.
    Step = crate::scope::Step;
    /// A dimension to group by.
    Dimension = sla::rollup::Dimension;
    /// How an address is tied to another: by a common payer or a common host.
    Tie = sla::tally::link::Tie;
    /// What a dataset is for.
    DatasetKind = crate::routes::datasets::Kind;
    /// The length of a window.
    Span = sla::window::Span;
    /// How several scores are combined into one.
    Combine = sla::route::policy::table::Combine;
    /// Why an orchestrator is listed.
    Listed = sla::route::reason::Listed;
    /// Why an orchestrator is left out.
    RouteCode = sla::route::reason::Code;
    /// The state of a job.
    JobState = sla::hour::fact::State;
    /// What a tenure owes.
    Obligation = sla::tally::outcome::Obligation;
    /// Why an obligation leaves the denominator.
    Excuse = sla::tally::outcome::Excuse;
}
