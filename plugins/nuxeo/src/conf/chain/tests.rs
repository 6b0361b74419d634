//! Whole configurations from files in memory.

use super::*;

/// Files in memory; only directories that hold one are within reach.
#[derive(Default)]
pub(in super::super) struct Memory {
    files: BTreeMap<String, Vec<u8>>,
    reach: Vec<String>,
}

impl Memory {
    pub(in super::super) fn new(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
        Self { files, reach: Vec::new() }
    }

    pub(in super::super) fn reach(mut self, directory: &str) -> Self {
        self.reach.push(format!("{directory}/"));
        self
    }
}

impl Files for Memory {
    fn read(&self, path: &str, bytes_max: usize) -> Result<Look> {
        Ok(match self.files.get(path) {
            Some(bytes) if bytes.len() > bytes_max => return Err(Error::limit("too long")),
            Some(bytes) => Look::Content(bytes.clone()),
            None if self.reach.iter().any(|directory| path.starts_with(directory)) => Look::Absent,
            None => Look::OutOfReach,
        })
    }

    fn names(&self, path: &str) -> Result<Vec<String>> {
        let names = self.files.keys().filter_map(|file| file.strip_prefix(path)?.strip_prefix('/'));
        Ok(names.map(str::to_owned).collect())
    }
}

pub(in super::super) fn layout() -> Layout {
    Layout { home: "/opt/nuxeo".into(), conf: "/etc/nuxeo/nuxeo.conf".into(), ..Layout::default() }
}

/// A configuration of nothing but a `nuxeo.conf`.
pub(in super::super) fn plain(conf: &str) -> Chain {
    read(&Memory::new(&[("/etc/nuxeo/nuxeo.conf", conf)]), &layout()).unwrap()
}

fn with(files: &[(&str, &str)], layout: &Layout) -> Chain {
    read(&Memory::new(files).reach("/opt/nuxeo"), layout).unwrap()
}

fn origins(chain: &Chain, key: &str) -> Vec<String> {
    chain.history(key).iter().map(|setting| format!("{} from {}", setting.value, setting.origin)).collect()
}

fn names(chain: &Chain) -> Vec<&str> {
    chain.templates.iter().filter(|template| template.included()).map(Template::name).collect()
}

const ROOT: &str = "/opt/nuxeo/templates/nuxeo.defaults";

#[test]
fn files_count_in_the_launchers_order() {
    let chain = with(
        &[
            (ROOT, "x=root\nnuxeo.templates=default\n"),
            ("/opt/nuxeo/templates/default/nuxeo.defaults", "nuxeo.template.includes=common\nx=default\n"),
            ("/opt/nuxeo/templates/common/nuxeo.defaults", "x=common\n"),
            ("/opt/nuxeo/templates/postgresql/nuxeo.defaults", "nuxeo.template.includes=common,default\nx=pg\n"),
            ("/srv/own/nuxeo.defaults", "x=own\n"),
            ("/etc/nuxeo/nuxeo.conf", "nuxeo.templates=../templates/./postgresql,/srv/x/../own\n\nx=user\n"),
        ],
        &layout(),
    );
    assert_eq!(names(&chain), ["common", "default", "postgresql", "own"]);
    assert!(chain.defaults);
    let wanted = [
        "root from templates/nuxeo.defaults line 1",
        "common from templates/common/nuxeo.defaults line 1",
        "default from templates/default/nuxeo.defaults line 2",
        "pg from templates/postgresql/nuxeo.defaults line 2",
        "own from /srv/own/nuxeo.defaults line 1",
        "user from nuxeo.conf line 3",
    ];
    assert_eq!(origins(&chain, "x"), wanted);
    assert_eq!(chain.get("nuxeo.home").map(|one| one.value.as_str()), Some("/opt/nuxeo"));
}

#[test]
fn templates_come_from_every_list() {
    let mut layout = layout();
    layout.environment.insert("NUXEO_PROFILES".into(), "d,a".into());
    layout.environment.insert("T".into(), "b".into());
    let conf = "nuxeo.templates=${env:T:x}\nnuxeo.append.templates.2=c\nnuxeo.append.templates.1=a\n";
    let template = |name: &str| format!("/opt/nuxeo/templates/{name}/nuxeo.defaults");
    let all = ["a", "b", "c", "d"].map(template);
    let mut files: Vec<_> = all.iter().map(|path| (path.as_str(), "")).collect();
    files.push(("/etc/nuxeo/nuxeo.conf", conf));
    assert_eq!(names(&with(&files, &layout)), ["b", "a", "c", "d"]);
}

#[test]
fn a_template_that_is_not_there_is_left_out_as_nuxeo_does() {
    let files = [
        (ROOT, ""),
        ("/opt/nuxeo/templates/postgresql/nuxeo.defaults", ""),
        ("/etc/nuxeo/nuxeo.conf", "nuxeo.templates=default, postgresql,mysql,,gone\n"),
    ];
    let chain = with(&files, &layout());
    assert!(names(&chain).is_empty(), "a blank is part of a name");
    assert_eq!(chain.templates.len(), 4);
    assert!(chain.get("nuxeo.db.host").is_none());
}

#[test]
fn what_cannot_be_read_is_assumed_to_be_what_the_product_ships() {
    let chain = plain("nuxeo.templates=mongodb,postgresql,own\n");
    assert_eq!(names(&chain), ["default", "mongodb", "postgresql", "own"]);
    assert!(!chain.defaults && chain.templates.iter().all(|one| one.state == State::OutOfReach));
    assert_eq!(chain.text("nuxeo.db.jdbc.url").as_deref(), Some("jdbc:postgresql://localhost:5432/nuxeo"));
    assert_eq!(chain.get("nuxeo.db.port").unwrap().origin, Origin::Product);
}

#[test]
fn templates_that_include_each_other_end() {
    let chain = with(
        &[
            ("/opt/nuxeo/templates/a/nuxeo.defaults", "nuxeo.template.includes=b,a\n"),
            ("/opt/nuxeo/templates/b/nuxeo.defaults", "nuxeo.template.includes=a\n"),
            ("/etc/nuxeo/nuxeo.conf", "nuxeo.templates=a,b,a\n"),
        ],
        &layout(),
    );
    assert_eq!(names(&chain), ["b", "a"]);
}

#[test]
fn too_deep_and_too_many_templates_are_refused() {
    let paths: Vec<_> = (0..400).map(|n| format!("/opt/nuxeo/templates/t{n}/nuxeo.defaults")).collect();
    let texts: Vec<_> = (0..400).map(|n| format!("nuxeo.template.includes=t{}\n", n + 1)).collect();
    let mut files: Vec<_> = paths.iter().zip(&texts).map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("/etc/nuxeo/nuxeo.conf", "nuxeo.templates=t0\n"));
    let error = read(&Memory::new(&files), &layout()).unwrap_err();
    assert_eq!(error.message, "template t32 is one more than the 256 templates, 32 deep that are read");
    let list = (0..400).map(|n| format!("t{n}")).collect::<Vec<_>>().join(",");
    let conf = format!("nuxeo.templates={list}\n");
    let error = read(&Memory::new(&[("/etc/nuxeo/nuxeo.conf", &conf)]), &layout()).unwrap_err();
    assert!(error.message.starts_with("template t256 is one more"), "{error}");
}

#[test]
fn too_many_settings_are_refused() {
    let half = "k=v\n".repeat(properties::ASSIGNMENTS_MAX / 2 + 1);
    let files = [(ROOT, half.as_str()), ("/etc/nuxeo/nuxeo.conf", half.as_str())];
    let error = read(&Memory::new(&files), &layout()).unwrap_err();
    assert_eq!(error.message, "the configuration sets more than 100000 properties");
}

#[test]
fn the_file_of_the_environment_counts_before_the_next_template() {
    let mut layout = layout();
    layout.environment.insert("NUXEO_ENVIRONMENT".into(), "prod".into());
    let files = [
        (ROOT, "x=root\n"),
        ("/opt/nuxeo/templates/nuxeo.prod", "x=root-prod\nnuxeo.templates=a\n"),
        ("/opt/nuxeo/templates/a/nuxeo.defaults", "x=a\n"),
        ("/opt/nuxeo/templates/a/nuxeo.prod", "x=a-prod\n"),
        ("/etc/nuxeo/nuxeo.conf", "\n"),
    ];
    let values: Vec<_> = with(&files, &layout).history("x").iter().map(|one| one.value.clone()).collect();
    assert_eq!(values, ["root", "root-prod", "a", "a-prod"]);
    layout.environment.insert("NUXEO_ENVIRONMENT".into(), "../../../etc/passwd".into());
    assert_eq!(with(&files, &layout).history("x").len(), 1);
}

#[test]
fn conf_d_counts_until_the_container_has_appended_it() {
    let mut layout = layout();
    layout.conf_d = Some("/etc/nuxeo/conf.d".into());
    let files = [
        (ROOT, ""),
        ("/etc/nuxeo/nuxeo.conf", "x=conf\n"),
        ("/etc/nuxeo/conf.d/b.conf", "x=b\n"),
        ("/etc/nuxeo/conf.d/a.conf", "x=a\n"),
    ];
    let chain = with(&files, &layout);
    assert_eq!(origins(&chain, "x").last().unwrap(), "b from /etc/nuxeo/conf.d/b.conf line 1");
    let mut started = files.to_vec();
    started.push(("/opt/nuxeo/configured", ""));
    let chain = with(&started, &layout);
    assert_eq!(chain.get("x").unwrap().value, "conf");
    assert_eq!(chain.appended, ["/etc/nuxeo/conf.d/a.conf", "/etc/nuxeo/conf.d/b.conf"]);
    let traced = "x=conf\n## ENTRYPOINT: Append properties from /etc/nuxeo/conf.d/a.conf\nx=a\n";
    let chain = with(&[files[0], ("/etc/nuxeo/nuxeo.conf", traced), files[2], files[3]], &layout);
    assert_eq!(chain.appended, ["/etc/nuxeo/conf.d/a.conf"]);
    assert_eq!(chain.get("x").unwrap().value, "b");
    let run = format!("x=conf\n{}\nx=block\n", properties::BLOCK_BEGIN);
    let chain = with(&[files[0], ("/etc/nuxeo/nuxeo.conf", &run), files[2], files[3]], &layout);
    assert_eq!((chain.get("x").unwrap().value.as_str(), chain.appended.len()), ("block", 2));
}

#[test]
fn variables_that_are_not_given_are_named() {
    let mut layout = layout();
    layout.environment.insert("GIVEN".into(), "1".into());
    let conf = "a=${env:GIVEN}${env:B:x}\nc=${env??:A}\n";
    let chain = read(&Memory::new(&[("/etc/nuxeo/nuxeo.conf", conf)]), &layout).unwrap();
    assert_eq!(chain.unset.iter().map(String::as_str).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!((chain.text("a").unwrap().as_str(), chain.text("c").unwrap().as_str()), ("1x", "false"));
}

#[test]
fn a_configuration_that_is_not_there_or_broken_is_named() {
    let error = read(&Memory::default(), &layout()).unwrap_err();
    assert_eq!(error.message, "there is no /etc/nuxeo/nuxeo.conf: grant the directory that it is in");
    let error = read(&Memory::new(&[("/etc/nuxeo/nuxeo.conf", "a=\\u1")]), &layout()).unwrap_err();
    assert!(error.message.starts_with("reading /etc/nuxeo/nuxeo.conf: line 1 has a \\u"), "{error}");
}
