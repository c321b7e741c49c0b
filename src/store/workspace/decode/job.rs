//! Reads a job, and what it proves about each image. Only a sub-job that names an image and succeeded in deleting it is
//! a proof. The outcome of an image that no sub-job names is unknown.

use std::collections::HashMap;

use serde::Deserialize;

use crate::{
    error::{Error, Kind, Result},
    image::ImageId,
    store::{Answer, Deletion},
};

/// A job as the service describes it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct JobReport {
    #[serde(default)]
    pub id: String,
    /// `WAITING`, `RUNNING`, `SUCCESS`, `FAILED`; more may come.
    pub status: String,
    pub job_type: Option<String>,
    pub begin_time: Option<String>,
    pub end_time: Option<String>,
    pub sub_jobs: Option<Vec<SubJob>>,
    #[serde(flatten)]
    failure: Failure,
}

/// The part of a job that is about one resource.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct SubJob {
    pub job_type: Option<String>,
    /// As of a job; also `ABNORMAL`, `ROLLBACK`, `ABORTING`.
    pub status: String,
    job_resource_info: Option<Resource>,
    job_execute_info: Option<Failure>,
    #[serde(flatten)]
    failure: Failure,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Resource {
    resource_id: Option<String>,
}

/// Jobs of other kinds have these fields on the sub-job itself, with another name for the message.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Failure {
    error_code: Option<String>,
    #[serde(alias = "error_msg")]
    error_message: Option<String>,
}

impl JobReport {
    /// The outcome of each image; `None` while the job runs. `Err` is a job that failed without naming any image.
    pub fn verdict(&self, request_id: Option<&str>) -> Result<Option<Answer<ImageId, Deletion>>> {
        let failed = match self.status.as_str() {
            "SUCCESS" => false,
            "FAILED" => true,
            // An unknown status does not prove that the job ended.
            _ => return Ok(None),
        };
        if !deletes(self.job_type.as_deref()) {
            let kind = self.job_type.as_deref().unwrap_or_default();
            let message = format!("the job {} is not a deletion but {kind}", self.id);
            return Err(Error::new(Kind::Invalid, message).request_id(request_id));
        }
        let mut answers: Vec<(ImageId, Result<Deletion>)> = Vec::new();
        let mut places = HashMap::new();
        for sub_job in self.sub_jobs.iter().flatten() {
            let Some((id, answer)) = sub_job.answer(request_id) else {
                continue;
            };
            match places.get(&id).copied() {
                None => {
                    places.insert(id.clone(), answers.len());
                    answers.push((id, answer));
                }
                // A deletion succeeded only if all of the image's sub-jobs did.
                Some(place) if answer.is_err() => answers[place].1 = answer,
                Some(_) => {}
            }
        }
        if failed && answers.is_empty() {
            return Err(self.failure.error(&format!("the job {} failed", self.id), request_id));
        }
        Ok(Some(Answer::Each(answers)))
    }
}

impl SubJob {
    /// The image server that it is about.
    pub fn resource(&self) -> Option<&str> {
        let id = self.job_resource_info.as_ref()?.resource_id.as_deref()?;
        Some(id).filter(|id| !id.is_empty())
    }

    /// What it proves; `None` while it runs.
    fn answer(&self, request_id: Option<&str>) -> Option<(ImageId, Result<Deletion>)> {
        let id = ImageId::Named(self.resource()?.to_owned());
        let answer = match self.status.as_str() {
            "SUCCESS" if deletes(self.job_type.as_deref()) => Ok(Deletion::Deleted),
            "FAILED" | "ABNORMAL" | "ROLLBACK" | "ABORTING" => {
                let message = format!("its deletion ended as {}", self.status);
                Err(self.failure().error(&message, request_id))
            }
            _ => return None,
        };
        Some((id, answer))
    }

    fn failure(&self) -> &Failure {
        self.job_execute_info.as_ref().filter(|failure| !failure.is_empty()).unwrap_or(&self.failure)
    }
}

impl Failure {
    fn is_empty(&self) -> bool {
        let empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        empty(&self.error_code) && empty(&self.error_message)
    }

    /// The provider's code and message, or else `otherwise`.
    fn error(&self, otherwise: &str, request_id: Option<&str>) -> Error {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let message = filled(&self.error_message).unwrap_or_else(|| otherwise.into());
        Error { code: filled(&self.error_code), ..Error::new(Kind::Failed, message).request_id(request_id) }
    }
}

/// Jobs also create and build. Their success deletes nothing.
fn deletes(job_type: Option<&str>) -> bool {
    job_type.is_none_or(|kind| kind.is_empty() || kind.to_ascii_uppercase().starts_with("DELETE"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn verdict(job: Value) -> Result<Option<Answer<ImageId, Deletion>>> {
        serde_json::from_value::<JobReport>(job).unwrap().verdict(Some("req"))
    }

    /// The images that a finished job speaks of: `deleted`, or the code of its failure.
    fn each(job: Value) -> Vec<(String, String)> {
        let Some(Answer::Each(answers)) = verdict(job).unwrap() else {
            panic!("the job ended and speaks of its images");
        };
        let word = |answer: Result<Deletion>| match answer {
            Ok(Deletion::Deleted) => "deleted".to_owned(),
            Ok(other) => format!("{other:?}"),
            Err(error) => {
                assert_eq!(error.kind, Kind::Failed);
                assert_eq!(error.request_id.as_deref(), Some("req"));
                format!("{} {}", error.code.unwrap_or_default(), error.message)
            }
        };
        answers
            .into_iter()
            .map(|(id, answer)| match id {
                ImageId::Named(id) => (id, word(answer)),
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn sub_job(id: &str, status: &str) -> Value {
        json!({"id": "s", "job_id": "j", "job_type": "DELETE_SERVER", "status": status,
            "job_resource_info": {"resource_id": id, "resource_name": "n"},
            "job_execute_info": {"error_code": "", "error_message": ""}})
    }

    fn job(status: &str, sub_jobs: Vec<Value>) -> Value {
        json!({"id": "j", "job_type": "DELETE_SERVER", "status": status, "sub_jobs": sub_jobs,
            "sub_jobs_total": 1, "begin_time": "2024-05-20T10:39:49.61Z"})
    }

    #[test]
    fn a_job_that_has_not_ended_says_nothing_yet() {
        for status in ["WAITING", "RUNNING", "PAUSED_IN_2030", ""] {
            let job = job(status, vec![sub_job("a", "SUCCESS")]);
            assert!(verdict(job).unwrap().is_none(), "{status}");
        }
    }

    #[test]
    fn each_sub_job_speaks_for_its_image() {
        for (status, word) in [
            ("SUCCESS", Some("deleted")),
            ("FAILED", Some(" its deletion ended as FAILED")),
            ("ABNORMAL", Some(" its deletion ended as ABNORMAL")),
            ("ROLLBACK", Some(" its deletion ended as ROLLBACK")),
            ("ABORTING", Some(" its deletion ended as ABORTING")),
            ("RUNNING", None),
            ("NEW_WORD", None),
        ] {
            for of_job in ["SUCCESS", "FAILED"] {
                let job = job(of_job, vec![sub_job("a", status), sub_job("b", "SUCCESS")]);
                let mut expected: Vec<_> = word.map(|word| ("a".to_owned(), word.to_owned())).into_iter().collect();
                expected.push(("b".into(), "deleted".into()));
                assert_eq!(each(job), expected, "{of_job} {status}");
            }
        }
    }

    #[test]
    fn code_and_message_are_read_from_both_places() {
        let mut within = sub_job("a", "FAILED");
        within["job_execute_info"] = json!({"error_code": "WKS.1", "error_message": "in use"});
        let mut beside = sub_job("b", "FAILED");
        beside["error_code"] = json!("WKS.2");
        beside["error_message"] = json!("changed");
        let found = each(job("FAILED", vec![within, beside]));
        assert_eq!(found.iter().map(|(_, said)| said.as_str()).collect::<Vec<_>>(), ["WKS.1 in use", "WKS.2 changed"]);
    }

    #[test]
    fn of_several_sub_jobs_for_one_image_the_failed_one_counts() {
        for pair in [["SUCCESS", "FAILED"], ["FAILED", "SUCCESS"]] {
            let found = each(job("FAILED", pair.map(|status| sub_job("a", status)).into()));
            assert_eq!(found.len(), 1);
            assert_ne!(found[0].1, "deleted");
        }
    }

    #[test]
    fn success_without_sub_jobs_proves_nothing_of_any_image() {
        let mut without = job("SUCCESS", Vec::new());
        assert_eq!(each(without.clone()), []);
        without["sub_jobs"] = Value::Null;
        assert_eq!(each(without), []);
    }

    #[test]
    fn a_failed_job_that_names_no_image_is_an_error() {
        let mut failed = job("FAILED", Vec::new());
        failed["error_code"] = json!("WKS.3");
        failed["error_msg"] = json!("gone wrong");
        let error = verdict(failed).unwrap_err();
        assert_eq!(
            (error.kind, error.code.as_deref(), error.message.as_str()),
            (Kind::Failed, Some("WKS.3"), "gone wrong")
        );
    }

    #[test]
    fn a_job_that_created_something_deleted_nothing() {
        let mut created = job("SUCCESS", vec![sub_job("a", "SUCCESS")]);
        created["job_type"] = json!("CREATE_SERVER");
        assert_eq!(verdict(created).unwrap_err().kind, Kind::Invalid);
        let mut mixed = sub_job("a", "SUCCESS");
        mixed["job_type"] = json!("CREATE_SERVER_IMAGE");
        assert_eq!(each(job("SUCCESS", vec![mixed])), []);
    }
}
