//! How registries differ: one row a registry, and one a quirk that any of them can have. Sources are in each row: the
//! programs themselves where they are open, documents and reports otherwise.

use super::refusal::Known;

/// How a registry answers where the protocol leaves it open, or where it leaves the protocol.
#[derive(Clone, Debug)]
pub struct Habits {
    pub name: &'static str,
    pub auth: Auth,
    /// The path of its token server.
    pub realm: &'static str,
    /// What a token must allow for a deletion.
    pub deletion: &'static str,
    /// The status of a deletion that was done.
    pub deleted: u16,
    /// Why no deletion at all is done.
    pub no_deletion: Option<Known>,
    /// Why a tag alone is not removed.
    pub no_untagging: Option<Known>,
    /// Why an image that has tags is not deleted by digest.
    pub tagged: Option<Known>,
    /// Why an image that has no tags is not deleted by digest.
    pub untagged: Option<Known>,
    /// Why an image that an index holds is not deleted.
    pub child: Option<Known>,
    /// Whether the tags of an image that is deleted by digest stay, and name nothing.
    pub tags_stay: bool,
    /// An index takes the images with it that have no tag and no other index, and so does a subject its referrers.
    pub cascades: bool,
    pub no_image: Known,
    pub no_repository: Known,
    /// The answer to a deletion in a repository that is not there.
    pub deletion_nowhere: Known,
    /// The answer to too many calls.
    pub too_many: Known,
    pub referrers: Referrers,
    pub tags: Pages,
    pub catalog: Option<Pages>,
    /// Whether a client that does not accept an index gets one of its images, and no client gets what it does not accept.
    pub converts: bool,
    /// Whether an answer to HEAD names the digest.
    pub names_digest: bool,
    pub api: Option<Api>,
    /// Which pulls are kept with the image.
    pub keeps_pulls: Pulls,
}

/// How callers show who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Auth {
    /// Not at all
    Open,
    /// By name and password
    Basic,
    /// By a token for each scope, from the registry's own token server
    Token,
}

/// Which pulls a registry keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulls {
    None,
    /// The first of a day.
    Daily,
    Each,
}

/// The answer to `GET /v2/NAME/referrers/DIGEST`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    Listed,
    /// No such route: clients keep a tag.
    NoRoute,
    /// To a page for people.
    Elsewhere,
}

/// How a listing is cut.
#[derive(Clone, Copy, Debug)]
pub struct Pages {
    /// Whether `n` and `last` do anything.
    pub cut: bool,
    /// The most on a page that asks for more, and on one that asks for nothing, if there is such a limit.
    pub most: Option<usize>,
    pub unasked: Option<usize>,
    /// Why more than the most is not given at all.
    pub beyond: Option<Known>,
    /// Why a number of results that is not one is not taken; it does not matter otherwise.
    pub unreadable: Option<Known>,
    /// Why a page after a tag that is not there any more is not given.
    pub lost: Option<Known>,
    pub link: Link,
    pub sorted: bool,
}

/// How an answer names its next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Relative,
    Absolute,
    /// On a host that the user did not name.
    OtherHost,
    Missing,
}

/// An API of its own beside the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// `/acr/v1/NAME/_manifests` and `_tags`.
    Acr,
    /// Members of `tags/list`.
    Gar,
    /// `/api/v2.0/projects/…/artifacts`.
    Harbor,
    /// `/v2/_zot/ext/search`.
    Zot,
}

const UNSUPPORTED: Known = (405, "UNSUPPORTED", "The operation is unsupported.");
const NO_IMAGE: Known = (404, "MANIFEST_UNKNOWN", "manifest unknown");
const NO_REPOSITORY: Known = (404, "NAME_UNKNOWN", "repository name not known to registry");
const NO_PAGE: Known = (400, "PAGINATION_NUMBER_INVALID", "invalid number of results requested");

const PAGES: Pages = Pages {
    cut: true,
    most: None,
    unasked: None,
    beyond: None,
    unreadable: Some(NO_PAGE),
    lost: None,
    link: Link::Relative,
    sorted: true,
};

/// What distribution 2.8.2 does; tried on that version.
/// <https://github.com/distribution/distribution/tree/v2.8.2/registry/handlers>
const DISTRIBUTION: Habits = Habits {
    name: "distribution",
    auth: Auth::Open,
    realm: "/token",
    deletion: "delete",
    deleted: 202,
    no_deletion: None,
    no_untagging: Some((400, "DIGEST_INVALID", "provided digest did not match uploaded content")),
    tagged: None,
    untagged: None,
    child: None,
    tags_stay: false,
    cascades: false,
    no_image: NO_IMAGE,
    no_repository: NO_REPOSITORY,
    deletion_nowhere: NO_IMAGE,
    too_many: (429, "TOOMANYREQUESTS", "too many requests"),
    referrers: Referrers::NoRoute,
    tags: Pages { cut: false, sorted: false, ..PAGES },
    catalog: Some(Pages { most: Some(1000), unasked: Some(100), beyond: Some(NO_PAGE), unreadable: None, ..PAGES }),
    converts: true,
    names_digest: true,
    api: None,
    keeps_pulls: Pulls::None,
};

/// Registries that follow the protocol where they do not say otherwise.
const PLAIN: Habits = Habits {
    auth: Auth::Token,
    no_untagging: None,
    referrers: Referrers::Listed,
    tags: PAGES,
    catalog: Some(PAGES),
    converts: false,
    ..DISTRIBUTION
};

/// The registries that `--registry` names.
pub const REGISTRIES: [Habits; 11] = [
    DISTRIBUTION,
    // https://github.com/distribution/distribution/tree/v3.1.1/registry/handlers
    Habits {
        name: "distribution3",
        no_untagging: None,
        converts: false,
        tags: Pages { most: Some(1000), ..PAGES },
        ..DISTRIBUTION
    },
    // https://github.com/goharbor/harbor/tree/main/src/server/registry
    Habits {
        name: "harbor",
        realm: "/service/token",
        no_untagging: Some((400, "UNSUPPORTED", "unsupported digest")),
        child: Some((412, "VIOLATE_FOREIGN_KEY_CONSTRAINT", "the deleting artifact is referenced by others")),
        cascades: true,
        no_image: (404, "NOT_FOUND", "artifact not found"),
        no_repository: (404, "NOT_FOUND", "repository not found"),
        deletion_nowhere: (404, "NOT_FOUND", "repository not found"),
        api: Some(Api::Harbor),
        keeps_pulls: Pulls::Each,
        ..PLAIN
    },
    // https://github.com/containers/skopeo/issues/1880, https://github.com/artifacthub/hub/issues/4785
    Habits {
        name: "ghcr",
        no_deletion: Some(UNSUPPORTED),
        referrers: Referrers::Elsewhere,
        catalog: None,
        // Its limits are in the message alone.
        too_many: (429, "TOOMANYREQUESTS", "retry-after: 1.16ms, allowed: 44000/minute"),
        ..PLAIN
    },
    // https://docs.gitlab.com/user/packages/container_registry/delete_container_registry_images/
    Habits { name: "gitlab", realm: "/jwt/auth", referrers: Referrers::NoRoute, catalog: None, ..PLAIN },
    // https://github.com/project-zot/zot/blob/main/pkg/api/routes.go
    Habits {
        name: "zot",
        auth: Auth::Basic,
        child: Some((405, "DENIED", "requested access to the resource is denied")),
        deletion_nowhere: (400, "NAME_UNKNOWN", "repository name not known to registry"),
        tags: Pages { lost: Some((404, "NAME_UNKNOWN", "repository name not known to registry")), ..PAGES },
        api: Some(Api::Zot),
        keeps_pulls: Pulls::Each,
        ..PLAIN
    },
    // https://cloud.google.com/artifact-registry/docs/docker/manage-images
    Habits {
        name: "gar",
        realm: "/v2/token",
        tagged: Some((400, "GOOGLE_MANIFEST_DANGLING_TAG", "Manifest is still referenced by tag")),
        child: Some((400, "GOOGLE_MANIFEST_DANGLING_PARENT_IMAGE", "Manifest is still referenced by an index")),
        referrers: Referrers::NoRoute,
        too_many: (429, "TOOMANYREQUESTS", "Quota Exceeded."),
        tags: Pages { most: Some(10_000), ..PAGES },
        api: Some(Api::Gar),
        ..PLAIN
    },
    // https://github.com/Azure/acr-cli
    Habits {
        name: "acr",
        realm: "/oauth2/token",
        no_untagging: Some(UNSUPPORTED),
        tags: Pages { most: Some(1000), unasked: Some(1000), ..PAGES },
        catalog: Some(Pages { most: Some(1000), unasked: Some(1000), ..PAGES }),
        api: Some(Api::Acr),
        ..PLAIN
    },
    // https://github.com/quay/quay/blob/master/endpoints/v2/manifest.py
    Habits {
        name: "quay",
        realm: "/v2/auth",
        deletion: "pull,push",
        untagged: Some(NO_IMAGE),
        tags: Pages { most: Some(100), unasked: Some(50), ..PAGES },
        ..PLAIN
    },
    // https://github.com/go-gitea/gitea/blob/main/routers/api/packages/container/container.go
    Habits { name: "gitea", realm: "/v2/token", tags: Pages { link: Link::Missing, ..PAGES }, ..PLAIN },
    // https://github.com/sonatype/nexus-public/issues/925
    Habits { name: "nexus", auth: Auth::Basic, tags_stay: true, referrers: Referrers::NoRoute, ..PLAIN },
];

/// The registry side of ECR, which deletes by its API alone.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html#registry_auth_http>
pub const ECR: Habits = Habits {
    name: "ecr",
    auth: Auth::Basic,
    no_deletion: Some(UNSUPPORTED),
    no_repository: (404, "NAME_UNKNOWN", "The repository does not exist in the registry"),
    tags: Pages {
        most: Some(1000),
        unasked: Some(1000),
        beyond: Some((400, "UNSUPPORTED", "Invalid parameter at 'maxResults' failed to satisfy constraint")),
        link: Link::Absolute,
        ..PAGES
    },
    catalog: Some(Pages { most: Some(1000), unasked: Some(100), link: Link::Absolute, ..PAGES }),
    keeps_pulls: Pulls::Daily,
    ..PLAIN
};

impl Api {
    /// Its calls, as faults and the record of calls name them.
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Acr => &["POST exchange", "GET catalog", "GET manifests", "GET tag-list", "DELETE tag"],
            Self::Gar => &[],
            Self::Harbor => &["GET ping", "GET artifacts", "GET artifact", "DELETE artifact", "DELETE tag"],
            Self::Zot => &["GET extensions", "GET search", "POST search"],
        }
    }
}

type Change = fn(&mut Habits);

/// What `--quirk` names: something that a registry, or how it is set up, may do too.
pub const QUIRKS: [(&str, &str, Change); 14] = [
    ("absolute-links", "pages are named with the host", |it| it.tags.link = Link::Absolute),
    ("cascade", "an index takes its images with it", |it| it.cascades = true),
    ("converts", "without the right Accept, an index is answered with one of its images", |it| it.converts = true),
    ("dangling-tags", "a deletion by digest leaves the tags", |it| it.tags_stay = true),
    ("delete-disabled", "405 for every deletion", |it| it.no_deletion = Some(UNSUPPORTED)),
    ("foreign-links", "pages are named with another host", |it| it.tags.link = Link::OtherHost),
    ("ignores-n", "tags come in one page, in no order", |it| (it.tags.cut, it.tags.sorted) = (false, false)),
    ("immutable", "412 for every deletion, as of an immutable tag in Harbor", |it| {
        it.no_deletion = Some((412, "PRECONDITION", "configured as immutable, cannot be deleted"));
    }),
    ("locked", "405 for every deletion, as of a locked image in ACR", |it| {
        let message = "The operation is disallowed on this registry, repository or image.";
        it.no_deletion = Some((405, "REGISTRY_DISALLOWED_OPERATION", message));
    }),
    ("no-catalog", "404 for the catalog", |it| it.catalog = None),
    ("no-digest-header", "HEAD does not name the digest", |it| it.names_digest = false),
    ("no-links", "pages do not name the next one", |it| it.tags.link = Link::Missing),
    ("no-referrers", "404 for the referrers API", |it| it.referrers = Referrers::NoRoute),
    ("read-only", "405 in plain text for every deletion", |it| {
        it.no_deletion = Some((405, "", "Method not allowed\n"));
    }),
];

impl Habits {
    /// The registry of this name.
    pub fn of(name: &str) -> Option<Self> {
        REGISTRIES.into_iter().find(|habits| habits.name == name)
    }

    /// Adds a quirk, if there is one of this name.
    pub fn add(&mut self, quirk: &str) -> bool {
        let known = QUIRKS.iter().find(|(name, ..)| *name == quirk);
        known.inspect(|(.., change)| change(self)).is_some()
    }
}

impl Default for Habits {
    fn default() -> Self {
        DISTRIBUTION
    }
}
