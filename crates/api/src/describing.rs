//! What the description says of every path that is read, so that no handler need: the forms of lists, the answer to a
//! conditional request, an example, and that a form may not be had. It changes nothing that a handler said.

mod example;

use serde_json::Value;
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{
    Content, HeaderBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder,
};

use crate::delivery::{FORMAT, Form};
use crate::guard;
use crate::paths::{OURS, Paths};
use crate::problem;

/// Completes the description of every path.
pub fn complete(openapi: &mut OpenApi) {
    let paths = Paths::of_description(openapi);
    let document = serde_json::to_value(&*openapi).unwrap_or_default();
    for (path, item) in &mut openapi.paths.paths {
        let Some(spec) = paths.get(path).filter(|_| !guard::is_private(path)) else { continue };
        let posted = item.post.iter_mut().filter_map(|it| it.responses.responses.get_mut("200"));
        for answer in posted {
            if let RefOr::T(answer) = answer {
                show(&document, answer);
            }
        }
        let Some(operation) = &mut item.get else { continue };
        let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { continue };
        show(&document, answer);
        if spec.columns.is_some() {
            describe_list(answer);
        }
        if !spec.media_types.iter().any(|kind| kind == Form::Json.media_type()) {
            continue;
        }
        let same = "Not modified: the entity tag of this answer is in `if-none-match`.";
        say(operation, "304", ResponseBuilder::new().description(same).build());
        let is_board = guard::is_board(path);
        let (name, kind) = if is_board {
            ("BoardError", Form::Json.media_type())
        } else {
            ("Problem", problem::CONTENT_TYPE)
        };
        let content = Content::builder().schema(Some(Ref::from_schema_name(name))).build();
        let form = "Not available in the format that `accept` or `format` asks for.";
        let refusal = ResponseBuilder::new().description(form);
        say(operation, "406", refusal.content(kind, content).build());
        if spec.columns.is_some() {
            operation.parameters.get_or_insert_default().push(RefOr::T(format_parameter()));
        }
    }
}

/// Shows an example of what is answered in JSON, where its handler shows none.
fn show(document: &Value, answer: &mut Response) {
    let Some(RefOr::T(content)) = answer.content.get_mut(Form::Json.media_type()) else { return };
    if content.example.is_none() {
        let schema = content.schema.as_ref().and_then(|schema| serde_json::to_value(schema).ok());
        content.example = schema.map(|schema| example::of(document, &schema));
    }
}

fn say(operation: &mut Operation, status: &str, response: Response) {
    let responses = &mut operation.responses.responses;
    responses.entry(status.to_owned()).or_insert(RefOr::T(response));
}

/// The parameter by which a list is had in another form.
fn format_parameter() -> utoipa::openapi::path::Parameter {
    let words = Form::ALL.iter().map(|form| form.as_str());
    let schema = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build();
    let description = "The form of the list, before what `accept` says: `json`, or its items as a table, `csv` or \
                       `parquet`. The columns are the members of an item by name, those of objects in it with a dot \
                       between, lists as JSON text; what is null is empty.";
    let ours = ExtensionsBuilder::new().add(OURS, true).build();
    ParameterBuilder::new()
        .name(FORMAT)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .extensions(Some(ours))
        .build()
}

/// What the answer of a list can be beside JSON, and where it says how it goes on.
fn describe_list(answer: &mut Response) {
    for form in [Form::Csv, Form::Parquet] {
        let text = ObjectBuilder::new().schema_type(Type::String).build();
        let content = Content::builder().schema(Some(text)).build();
        let essence = form.media_type().split(';').next().unwrap_or_default();
        answer.content.insert(essence.to_owned(), RefOr::T(content));
    }
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    let description = "Where the next page is, as `<...>; rel=\"next\"`; not there on the last.";
    let header = HeaderBuilder::new().schema(Some(text)).description(Some(description)).build();
    answer.headers.insert("link".to_owned(), RefOr::T(header));
}
