use super::{env, of_files};
use crate::{error::Kind, settings::tencent::Tencent};

const REGION: &str = "TENCENTCLOUD_REGION";
const ROOT_DOMAIN: &str = "TENCENTCLOUD_DOMAIN";

const SETTINGS: (&str, &str) = (
    "/h/.tccli/default.configure",
    r#"{"_sys_param":{"region":"ap-file"},"cvm":{"endpoint":"cvm.tencentcloudapi.com","version":"2017-03-12"}}"#,
);

#[test]
fn the_region_is_the_variables_unless_a_profile_was_asked_for() {
    for (vars, flag, region, source) in [
        (&[(REGION, "ap-env")][..], None, "ap-env", REGION),
        (&[(REGION, "ap-env")][..], Some("default"), "ap-file", SETTINGS.0),
        (&[(REGION, "ap-env")][..], Some("other"), "ap-env", REGION),
        (&[][..], None, "ap-file", SETTINGS.0),
    ] {
        let env = env(vars);
        let tencent = Tencent::from(&env, flag, &of_files(&[SETTINGS])).unwrap();
        let found = tencent.own_region().unwrap();
        assert_eq!((found.value.as_str(), found.source.as_str()), (region, source));
    }
    let nothing = env(&[]);
    let error = Tencent::from(&nothing, None, &of_files(&[])).unwrap().own_region().unwrap_err();
    assert_eq!(error.kind, Kind::Config);
    for place in ["the reference", "--region", REGION, "/h/.tccli/default.configure (not there)"] {
        assert!(error.message.contains(place), "{error}");
    }
}

#[test]
fn the_first_chosen_endpoint_is_used() {
    let configured = |endpoint: &str| format!(r#"{{"cvm":{{"endpoint":"{endpoint}"}}}}"#);
    let default = configured("cvm.tencentcloudapi.com");
    let intl = configured("cvm.intl.tencentcloudapi.com");
    let local = configured("http://127.0.0.1:9");
    let own = ("IMGCTL_CVM_ENDPOINT", "http://127.0.0.1:8");
    let domain = (ROOT_DOMAIN, "internal.tencentcloudapi.com");
    let file = "cvm.endpoint in /h/.tccli/default.configure";
    for (vars, configure, region, url, source) in [
        (&[][..], "{}", "ap-guangzhou", "https://cvm.tencentcloudapi.com/", "default"),
        (&[][..], &default, "ap-guangzhou", "https://cvm.tencentcloudapi.com/", "default"),
        (&[][..], &default, "ap-shanghai-fsi", "https://cvm.ap-shanghai-fsi.tencentcloudapi.com/", "default"),
        (&[][..], &intl, "ap-guangzhou", "https://cvm.intl.tencentcloudapi.com/", file),
        (&[][..], &local, "ap-guangzhou", "http://127.0.0.1:9/", file),
        (&[own, domain][..], &intl, "ap-shanghai-fsi", "http://127.0.0.1:8/", own.0),
        (&[domain][..], &intl, "ap-guangzhou", "https://cvm.intl.tencentcloudapi.com/", file),
        (&[domain][..], &default, "ap-guangzhou", "https://cvm.internal.tencentcloudapi.com/", ROOT_DOMAIN),
    ] {
        let env = env(vars);
        let read = of_files(&[("/h/.tccli/default.configure", configure)]);
        let tencent = Tencent::from(&env, None, &read).unwrap();
        let found = tencent.endpoint("cvm", "IMGCTL_CVM_ENDPOINT", region).unwrap();
        assert_eq!((found.value.as_str(), found.source.as_str()), (url, source));
    }
    for (vars, configure) in [
        (("IMGCTL_CVM_ENDPOINT", "http://cvm.example.com"), "{}".to_owned()),
        (("IMGCTL_CVM_ENDPOINT", "https://cvm.example.com/path"), "{}".to_owned()),
        ((ROOT_DOMAIN, "no host"), "{}".to_owned()),
        ((ROOT_DOMAIN, "example.com/path"), "{}".to_owned()),
        (("OTHER", "x"), configured("http://cvm.example.com")),
        (("OTHER", "x"), r#"{"cvm":{"endpoint":1}}"#.to_owned()),
    ] {
        let env = env(&[vars]);
        let read = of_files(&[("/h/.tccli/default.configure", &configure)]);
        let tencent = Tencent::from(&env, None, &read).unwrap();
        let error = tencent.endpoint("cvm", "IMGCTL_CVM_ENDPOINT", "ap-guangzhou").unwrap_err();
        assert_eq!(error.kind, Kind::Config, "{vars:?} {configure}");
    }
}
