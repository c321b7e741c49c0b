//! The JSON body of a request, read as strictly as the service reads it: unknown names and wrong types are refused.

use serde_json::{Map, Value, json};

use super::Failure;

/// The largest page, and the default one.
const LARGEST_PAGE: usize = 100;
const USUAL_PAGE: usize = 20;

pub(super) struct Parameters(Map<String, Value>);

/// One condition of a listing: any of the values will do.
pub(super) struct Filter {
    pub name: String,
    pub values: Vec<String>,
}

impl Parameters {
    /// Reads a body that holds only these names, which are separated by spaces.
    pub fn read(body: &[u8], known: &str) -> Result<Self, Failure> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(Failure::new("InvalidRequest", "The body is not a JSON object."));
        };
        match fields.keys().find(|name| !known.split(' ').any(|known| known == *name)) {
            Some(name) => Err(Failure::new("UnknownParameter", format!("The parameter `{name}` is not recognized."))),
            None => Ok(Self(fields)),
        }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn wrong(name: &str, what: &str) -> Failure {
        Failure::new("InvalidParameter", format!("The parameter `{name}` is not a {what}."))
    }

    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.value(name).map(|value| value.as_str().ok_or_else(|| Self::wrong(name, "text"))).transpose()
    }

    pub fn required(&self, name: &str) -> Result<&str, Failure> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A list of texts; absent is empty.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(value) => texts(value).ok_or_else(|| Self::wrong(name, "list of texts")),
        }
    }

    /// The documents' own example gives a flag as a text.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(Value::String(text)) if text == "True" => Ok(true),
            Some(Value::String(text)) if text == "False" => Ok(false),
            Some(_) => Err(Self::wrong(name, "boolean")),
        }
    }

    pub fn number(&self, name: &str, default: usize) -> Result<usize, Failure> {
        match self.value(name) {
            None => Ok(default),
            Some(value) => number(value).ok_or_else(|| Self::wrong(name, "number from 0")),
        }
    }

    /// A list of numbers; absent is empty.
    pub fn numbers(&self, name: &str) -> Result<Vec<usize>, Failure> {
        let Some(value) = self.value(name) else {
            return Ok(Vec::new());
        };
        let numbers = value.as_array().and_then(|list| list.iter().map(number).collect());
        numbers.ok_or_else(|| Self::wrong(name, "list of numbers"))
    }

    pub fn filters(&self) -> Result<Vec<Filter>, Failure> {
        let Some(value) = self.value("Filters") else {
            return Ok(Vec::new());
        };
        let filters: Option<Vec<_>> = value.as_array().and_then(|filters| {
            let filter = |filter: &Value| {
                Some(Filter { name: filter.get("Name")?.as_str()?.to_owned(), values: texts(filter.get("Values")?)? })
            };
            filters.iter().map(filter).collect()
        });
        let filters = filters.ok_or_else(|| Self::wrong("Filters", "list of filters"))?;
        if filters.len() > 10 || filters.iter().any(|filter| filter.values.len() > 5) {
            return Err(Failure::new(
                "InvalidFilterValue.LimitExceeded",
                "There are at most 10 filters of 5 values each.",
            ));
        }
        Ok(filters)
    }

    /// An answer with the page that was asked for, and the length of the whole list.
    pub fn page<T>(&self, name: &str, all: Vec<T>, show: impl Fn(T) -> Value) -> Result<Value, Failure> {
        let offset = self.number("Offset", 0)?;
        let limit = self.number("Limit", USUAL_PAGE)?;
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Failure::new(
                "InvalidParameterValue.InvalidParameterValueLimit",
                "Limit must be from 1 to 100.",
            ));
        }
        let mut answer = json!({ "TotalCount": all.len() });
        answer[name] = all.into_iter().skip(offset).take(limit).map(show).collect();
        Ok(answer)
    }
}

pub(super) fn missing(name: &str) -> Failure {
    Failure::new("MissingParameter", format!("The request lacks `{name}`."))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter();
    texts.map(|text| text.as_str().map(str::to_owned)).collect()
}

fn number(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}
