//! A sandbox made from a listing of a user's own accounts.

use chrono::Utc;
use imgctl::sandbox::World as Clouds;

use crate::world::World;

const LIST: [&str; 7] = ["list", "ecr:**", "cvm:", "workspace:", "--sharing", "-o", "json"];

#[test]
fn what_was_listed_is_listed_again_and_can_be_rehearsed_on() {
    let original = World::new(Clouds::seeded(3, 120, Utc::now()));
    let listing = original.run(&LIST);
    listing.exits(0);
    let file = original.home().join("mine.json");
    std::fs::write(&file, &listing.stdout).unwrap();

    let loaded = World::new(Clouds::load(&file).unwrap());
    let again = loaded.run(&LIST);
    let items = |run: &crate::world::Run| {
        let mut items = run.json()["items"].as_array().unwrap().clone();
        items.sort_by_key(|item| item["ref"].to_string());
        items
    };
    for (loaded, listed) in items(&again).iter().zip(&items(&listing)) {
        assert_eq!(loaded, listed);
    }
    assert_eq!(items(&again).len(), items(&listing).len());

    let machine = items(&listing)
        .iter()
        .find(|item| item["provider"] == "cvm" && item["state"] == "normal")
        .map(|item| item["ref"].as_str().unwrap().to_owned())
        .unwrap();
    let run = loaded.run(&["delete", &machine, "--yes"]);
    run.exits(0);

    // A listing does not say what an index needs.
    let run = loaded.run(&["prune", "ecr:team/app", "--untagged", "-n", "-o", "json"]);
    assert_eq!(run.json()["summary"].get("would_delete"), None, "{}", run.transcript());
    assert!(run.stdout.contains("which holds no manifests"), "{}", run.transcript());
    let error = Clouds::load(&file).unwrap().save(&file).unwrap_err();
    assert!(format!("{error:#}").contains("loaded from a listing"));
}
