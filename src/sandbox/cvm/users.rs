//! What uses images: instances, launch templates, and the launch configurations of auto scaling. Read only.

use serde_json::{Value, json};

use super::{Call, Cvm, Failure, images::time, parameters::Filter, state::Instance};

impl Cvm {
    /// Instances cannot be filtered by image: a client reads all of them.
    /// <https://www.tencentcloud.com/document/api/213/33258>
    pub(super) fn describe_instances(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let ids = call.asked.texts("InstanceIds")?;
        let filters = call.asked.filters()?;
        if !ids.is_empty() && !filters.is_empty() {
            return Err(Failure::new("InvalidParameter", "InstanceIds and Filters exclude each other."));
        }
        filters.iter().try_for_each(known)?;
        let found: Vec<_> = self
            .region(call.region)
            .instances
            .iter()
            .filter(|instance| ids.is_empty() || ids.contains(&instance.id))
            .filter(|instance| filters.iter().all(|filter| fits(filter, instance)))
            .collect();
        call.asked.page("InstanceSet", found, |instance| {
            json!({
                "InstanceId": instance.id,
                "InstanceName": instance.name,
                "InstanceState": instance.state,
                "InstanceType": "S5.MEDIUM4",
                "Placement": { "Zone": instance.zone, "ProjectId": 0 },
                "ImageId": instance.image,
                "CreatedTime": time(instance.created),
            })
        })
    }

    pub(super) fn describe_templates(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let ids = call.asked.texts("LaunchTemplateIds")?;
        no_filters(call)?;
        let found: Vec<_> = self
            .region(call.region)
            .launch_templates
            .iter()
            .filter(|template| ids.is_empty() || ids.contains(&template.id))
            .collect();
        call.asked.page("LaunchTemplateSet", found, |template| {
            json!({
                "LaunchTemplateId": template.id,
                "LaunchTemplateName": template.name,
                "LatestVersionNumber": template.versions.len(),
                "DefaultVersionNumber": template.default_version,
                "LaunchTemplateVersionCount": template.versions.len(),
                "CreationTime": time(template.created),
            })
        })
    }

    pub(super) fn describe_template_versions(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let id = call.asked.required("LaunchTemplateId")?;
        let least = call.asked.number("MinVersion", 0)?;
        let most = call.asked.number("MaxVersion", usize::MAX)?;
        let only_default = call.asked.flag("DefaultVersion")?;
        let only = call.asked.numbers("LaunchTemplateVersions")?;
        let templates = &self.region(call.region).launch_templates;
        let Some(template) = templates.iter().find(|template| template.id == id) else {
            return Err(Failure::new(
                "InvalidParameterValue.LaunchTemplateIdNotExisted",
                "There is no such launch template.",
            ));
        };
        let found: Vec<_> = (1..)
            .zip(&template.versions)
            .filter(|(version, _)| (least..=most).contains(version))
            .filter(|(version, _)| only.is_empty() || only.contains(version))
            .filter(|(version, _)| !only_default || *version == template.default_version)
            .collect();
        call.asked.page("LaunchTemplateVersionSet", found, |(version, image)| {
            json!({
                "LaunchTemplateId": template.id,
                "LaunchTemplateVersion": version,
                "IsDefaultVersion": version == template.default_version,
                "CreationTime": time(template.created),
                "LaunchTemplateVersionData": { "ImageId": image, "InstanceType": "S5.MEDIUM4" },
            })
        })
    }

    /// Of the service `as`. A configuration whose image is gone is broken, and says so.
    /// <https://www.tencentcloud.com/document/api/377/30985>
    pub(super) fn describe_configurations(&mut self, call: &Call<'_>) -> Result<Value, Failure> {
        let ids = call.asked.texts("LaunchConfigurationIds")?;
        no_filters(call)?;
        let region = self.region(call.region);
        let found: Vec<_> = region
            .launch_configurations
            .iter()
            .filter(|configuration| ids.is_empty() || ids.contains(&configuration.id))
            .collect();
        call.asked.page("LaunchConfigurationSet", found, |configuration| {
            let there = region.images.iter().any(|(id, image)| {
                configuration.image.as_ref() == Some(id)
                    || configuration.family.is_some() && configuration.family == image.family
            });
            json!({
                "LaunchConfigurationId": configuration.id,
                "LaunchConfigurationName": configuration.name,
                "LaunchConfigurationStatus": if there { "NORMAL" } else { "IMAGE_ABNORMAL" },
                "ImageId": configuration.image,
                "ImageFamily": configuration.family,
                "CreatedTime": time(configuration.created),
            })
        })
    }
}

/// The filters that the documents list; those about what is not emulated find nothing.
fn known(filter: &Filter) -> Result<(), Failure> {
    const NAMES: &str = "zone project-id host-id dedicated-cluster-id vpc-id subnet-id instance-id uuid \
         security-group-id instance-name instance-charge-type instance-state private-ip-address \
         public-ip-address ipv6-address tag-key tag-value creation-start-time creation-end-time";
    if NAMES.split(' ').any(|name| name == filter.name) || filter.name.starts_with("tag:") {
        return Ok(());
    }
    let message = format!("There is no filter `{}`.", filter.name);
    Err(Failure::new("InvalidFilter", message))
}

fn fits(filter: &Filter, instance: &Instance) -> bool {
    let has = |value: &String| filter.values.contains(value);
    match filter.name.as_str() {
        "zone" => has(&instance.zone),
        "instance-id" => has(&instance.id),
        "instance-name" => has(&instance.name),
        "instance-state" => has(&instance.state),
        _ => false,
    }
}

/// The emulator leaves out the filters of these listings, which are by name.
fn no_filters(call: &Call<'_>) -> Result<(), Failure> {
    match call.asked.filters()?.first() {
        Some(filter) => {
            Err(Failure::new("InvalidFilter", format!("The emulator has no filter `{}` here.", filter.name)))
        }
        None => Ok(()),
    }
}
