//! Confluence on a real MariaDB: dumped while it is frozen or between two readings, proven, loaded into another database.

use std::fs;

use crate::support::{
    Place,
    mariadb::{PASSWORD, Server, USER},
    pipeline,
};

/// As Confluence spells its tables there. The attachment's file is at its place in layout `v4`.
const SITE: &str = "CREATE DATABASE wiki CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; CREATE DATABASE restored CHARACTER SET utf8mb4;
USE wiki;
CREATE TABLE CONTENT (CONTENTID bigint PRIMARY KEY, CONTENTTYPE varchar(255), TITLE varchar(255), VERSION int,
  PREVVER bigint, PAGEID bigint, SPACEID bigint);
CREATE TABLE CONTENTPROPERTIES (PROPERTYID bigint PRIMARY KEY, PROPERTYNAME varchar(255), LONGVAL bigint, CONTENTID bigint);
CREATE TABLE CONFVERSION (CONFVERSIONID bigint PRIMARY KEY, BUILDNUMBER int);
CREATE TABLE `AO_21F425_MESSAGE_AO` (`ID` varchar(255), `BYTES` blob);
INSERT INTO CONTENT VALUES (1, 'PAGE', 'it''s (a; \\\\ 😀\n\"b\"', 1, NULL, NULL, 131073), (2, 'PAGE', NULL, 1, NULL, NULL, NULL),
  (98765432, 'ATTACHMENT', 'a.txt', 2, NULL, 1, 131073);
INSERT INTO CONTENTPROPERTIES VALUES (1, 'FILESIZE', 3, 98765432);
INSERT INTO CONFVERSION VALUES (1, 9012);
INSERT INTO AO_21F425_MESSAGE_AO VALUES ('x', x'00ff27285c');
CREATE USER weak@'%' IDENTIFIED BY 'hunter2'; GRANT SELECT, SHOW VIEW, TRIGGER, LOCK TABLES ON wiki.* TO weak@'%'";

const CFG: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<confluence-configuration>
  <setupStep>complete</setupStep>
  <setupType>custom</setupType>
  <buildNumber>9012</buildNumber>
  <properties>
    <property name="attachments.dir">$DIR/site/home/attachments</property>
    <property name="hibernate.connection.password">old</property>
    <property name="hibernate.connection.url">jdbc:mysql://127.0.0.1:$PORT/wiki</property>
    <property name="hibernate.connection.username">wiki</property>
    <property name="hibernate.dialect">com.atlassian.confluence.impl.hibernate.dialect.MySQLDialect</property>
    <property name="hibernate.setup">true</property>
  </properties>
</confluence-configuration>
"#;

/// The first lines of a pipeline file: all but the grants.
pub fn head() -> String {
    pipeline::head("wiki", "state = \"$DIR/state\"") + "[step.wiki]\nplugin = \"confluence\"\n"
}

/// The grants of a step: directories below `root`, and a database with its tools.
pub fn grants(root: &str, access: &str, url: &str) -> String {
    let dir =
        |name: &str| format!("[step.wiki.grant.dirs.{name}]\npath = \"$DIR/{root}/{name}\"\naccess = \"{access}\"\n");
    let place =
        r#""--protocol=tcp", "--host={sql.database.host}", "--port={sql.database.port}", "--user={sql.database.user}""#;
    let tool = |name: &str, program: &str| {
        format!(
            "[step.wiki.grant.tools.{name}]\nargv = [\"/usr/bin/{program}, {place}, \"{{sql.database.name}}\"]\nenv = {{ MYSQL_PWD = {{ secret = {{ file = \"$DIR/password\" }} }} }}\n"
        )
    };
    let dump = r#"mariadb-dump", "--no-defaults", "--single-transaction", "--quick", "--routines", "--triggers", "--hex-blob", "--default-character-set=utf8mb4", "--no-tablespaces""#;
    let load = r#"mariadb", "--no-defaults", "--default-character-set=utf8mb4""#;
    let database =
        format!("[step.wiki.grant.sql.database]\nurl = \"{url}\"\npassword = {{ file = \"$DIR/password\" }}\n");
    [dir("home"), dir("install"), database, tool("dump", dump), tool("restore", load)].concat()
}

/// A site of that role, in `site`, with a pipeline file that saves it.
pub fn site(server: &Server, user: &str) -> Place {
    server.sql(SITE);
    let place = Place::new();
    place.write("password", PASSWORD);
    place.write("site/home/confluence.cfg.xml", &CFG.replace("$PORT", &server.port.to_string()));
    place.write("site/home/attachments/v4/91/16/98765432/98765432.2", "abc");
    place.write(
        "site/install/confluence/WEB-INF/classes/confluence-init.properties",
        "confluence.home=$DIR/site/home\n",
    );
    place.write("strongroom.toml", &(head() + &grants("site", "read", &server.url(user, "wiki"))));
    place.accept();
    place
}

#[test]
fn a_site_on_mariadb_comes_back_as_it_was() {
    let server = Server::start();
    let place = site(&server, USER);
    place.run(&["backup"]).exits(0);
    let record = place.record();
    let text = record.to_string();
    assert!(text.contains("rows CONTENT") && text.contains("same-view") && !text.contains("not-frozen"), "{record:#}");
    assert_eq!(record["state"], "complete", "{record:#}");
    place.run(&["verify"]).exits(0);
    for name in ["home", "install"] {
        fs::create_dir_all(place.join("restored").join(name)).unwrap();
    }
    place.write("target.toml", &(head() + &grants("restored", "write", &server.url(USER, "restored"))));
    place.run(&["-c", "target.toml", "restore", "latest"]).exits(0);
    for table in ["CONTENT", "CONTENTPROPERTIES", "CONFVERSION", "AO_21F425_MESSAGE_AO"] {
        let sum = |database: &str| server.sql(&format!("CHECKSUM TABLE {database}.{table}")).replace(database, "");
        assert_eq!(sum("wiki"), sum("restored"), "{table}");
    }
    assert_eq!(server.sql("SELECT count(*) FROM restored.CONTENT"), "3");
    let again = place.run(&["-c", "target.toml", "restore", "latest"]);
    assert_ne!(again.code, 0, "a database that holds tables is not loaded over");
}

#[test]
fn a_role_that_may_not_freeze_brackets_the_dump() {
    let server = Server::start();
    let place = site(&server, "weak");
    place.run(&["backup"]).exits(0);
    let record = place.record();
    let text = record.to_string();
    assert!(text.contains("not-frozen") && text.contains("bracketed") && !text.contains("same-view"), "{record:#}");
    assert_eq!(record["state"], "complete", "{record:#}");
    let missing = place.join("site/home/attachments/v4/91/16/98765432/98765432.2");
    fs::remove_file(missing).unwrap();
    assert_ne!(place.run(&["backup"]).code, 0, "a file that the database names is not there");
}
