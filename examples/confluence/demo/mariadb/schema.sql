-- The tables of a Confluence 9 database as MariaDB has them: Hibernate's in capitals, those of the user directory in small
-- letters, numbers given by AUTO_INCREMENT. Names are told apart by case there. Keys come later (keys.sql).

CREATE TABLE CONTENT (
  contentid bigint NOT NULL, hibernateversion integer NOT NULL DEFAULT 0, contenttype varchar(255) NOT NULL,
  title varchar(255), lowertitle varchar(255), version integer, creator varchar(255), creationdate datetime,
  lastmodifier varchar(255), lastmoddate datetime, versioncomment mediumtext, prevver bigint,
  content_status varchar(255),
  pageid bigint, spaceid bigint, child_position integer, parentid bigint, pluginkey varchar(255), pluginver varchar(255),
  parentccid bigint, draftpageid varchar(255), draftspacekey varchar(255), drafttype varchar(255),
  draftpageversion integer, parentcommentid bigint, username varchar(255));
CREATE TABLE CONTENTPROPERTIES (
  propertyid bigint NOT NULL, propertyname varchar(255) NOT NULL, stringval varchar(255), longval bigint,
  dateval datetime, contentid bigint);
CREATE TABLE BODYCONTENT (bodycontentid bigint NOT NULL, body mediumtext, contentid bigint, bodytypeid smallint);
CREATE TABLE SPACES (
  spaceid bigint NOT NULL, spacename varchar(255), spacekey varchar(255) NOT NULL, lowerspacekey varchar(255) NOT NULL,
  spacedescid bigint, homepage bigint, creator varchar(255), creationdate datetime, lastmodifier varchar(255),
  lastmoddate datetime, spacetype varchar(255), spacestatus varchar(255));
CREATE TABLE ATTACHMENTDATA (
  attachmentdataid bigint NOT NULL, hibernateversion integer NOT NULL DEFAULT 0, attversion integer NOT NULL,
  data longblob, attachmentid bigint NOT NULL);
CREATE TABLE IMAGEDETAILS (attachmentid bigint NOT NULL, height integer, width integer, mimetype varchar(30));
CREATE TABLE BANDANA (
  bandanaid bigint NOT NULL, bandanacontext varchar(255) NOT NULL, bandanakey varchar(100) NOT NULL, bandanavalue mediumtext);
CREATE TABLE CONFVERSION (
  confversionid bigint NOT NULL, buildnumber integer NOT NULL, installdate datetime, versiontag varchar(255),
  finalized char(1) NOT NULL DEFAULT 'N', creationdate datetime, lastmoddate datetime);
CREATE TABLE CONFZDU (
  confzduid bigint NOT NULL, state varchar(255) NOT NULL, orig_ver varchar(255) NOT NULL,
  orig_build_number integer NOT NULL DEFAULT 0);
CREATE TABLE CLUSTERSAFETY (clustersafetyid bigint NOT NULL, safetynumber integer);
CREATE TABLE OS_PROPERTYENTRY (
  entity_name varchar(125) NOT NULL, entity_id bigint NOT NULL, entity_key varchar(200) NOT NULL, key_type integer,
  boolean_val bit(1), double_val double precision, string_val varchar(255), text_val mediumtext, long_val bigint,
  int_val integer, date_val datetime);
CREATE TABLE cwd_directory (
  id bigint NOT NULL, directory_name varchar(255) NOT NULL, lower_directory_name varchar(255) NOT NULL,
  created_date datetime NOT NULL, updated_date datetime NOT NULL, active char(1) NOT NULL, description varchar(255),
  impl_class varchar(255) NOT NULL, lower_impl_class varchar(255) NOT NULL, directory_type varchar(32) NOT NULL);
CREATE TABLE cwd_directory_attribute (
  directory_id bigint NOT NULL, attribute_name varchar(255) NOT NULL, attribute_value varchar(4000));
CREATE TABLE cwd_user (
  id bigint NOT NULL, user_name varchar(255) NOT NULL, lower_user_name varchar(255) NOT NULL, active char(1) NOT NULL,
  created_date datetime NOT NULL, updated_date datetime NOT NULL, first_name varchar(255),
  lower_first_name varchar(255), last_name varchar(255), lower_last_name varchar(255), display_name varchar(255),
  lower_display_name varchar(255), email_address varchar(255), lower_email_address varchar(255),
  external_id varchar(255), directory_id bigint NOT NULL, credential varchar(255));
CREATE TABLE user_mapping (user_key varchar(255) NOT NULL, username varchar(255) NOT NULL, lower_username varchar(255));
CREATE TABLE PLUGINDATA (
  plugindataid bigint NOT NULL, pluginkey varchar(255) NOT NULL, filename varchar(255) NOT NULL, lastmoddate datetime,
  data longblob);
CREATE TABLE journalentry (
  entry_id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, journal_name varchar(255), creationdate datetime,
  type varchar(255), message varchar(2047), triedtimes integer NOT NULL DEFAULT 0) AUTO_INCREMENT = 100000;
CREATE TABLE scheduler_run_details (
  id bigint NOT NULL, job_id varchar(255), start_time datetime, duration bigint, outcome char(1), message varchar(255));
CREATE TABLE LABEL (
  labelid bigint NOT NULL, name varchar(255), owner varchar(255), namespace varchar(255), creationdate datetime,
  lastmoddate datetime);
CREATE TABLE CONTENT_LABEL (
  id bigint NOT NULL, labelid bigint NOT NULL, contentid bigint, pagetemplateid bigint, owner varchar(255),
  creationdate datetime, lastmoddate datetime, labelableid bigint, labelabletype varchar(255));
CREATE TABLE PAGETEMPLATES (templateid bigint NOT NULL, templatename varchar(255) NOT NULL, content mediumtext);
CREATE TABLE CONFANCESTORS (descendentid bigint NOT NULL, ancestorposition integer NOT NULL, ancestorid bigint NOT NULL);
CREATE TABLE SPACEPERMISSIONS (
  permid bigint NOT NULL, spaceid bigint, permtype varchar(255) NOT NULL, permgroupname varchar(255),
  permusername varchar(255), permalluserssubject varchar(255), creationdate datetime);
CREATE TABLE CONTENT_PERM_SET (
  id bigint NOT NULL, cont_perm_type varchar(255) NOT NULL, content_id bigint NOT NULL, creationdate datetime);
CREATE TABLE CONTENT_PERM (
  id bigint NOT NULL, cp_type varchar(10) NOT NULL, username varchar(255), groupname varchar(255), cps_id bigint NOT NULL);
CREATE TABLE hibernate_unique_key (next_hi bigint);
CREATE TABLE backup_restore_job_details (
  id bigint NOT NULL, operation varchar(255) NOT NULL, scope varchar(20) NOT NULL, state varchar(20) NOT NULL,
  create_time datetime NOT NULL, start_processing_time datetime, finish_processing_time datetime,
  error_message varchar(1000), owner varchar(255), terminator varchar(255), cancel_time datetime,
  filename varchar(1000), single_space_key varchar(255), space_keys varchar(1000), file_delete_time datetime,
  file_exists bit(1));
CREATE TABLE backup_restore_job_settings (id bigint NOT NULL, settings mediumtext);
CREATE TABLE backup_restore_job_statistics (id bigint NOT NULL, job_statistics mediumtext);
CREATE TABLE `SECRETS` (`key` varchar(255) NOT NULL, value varchar(256) NOT NULL);
CREATE TABLE `EVENTS` (
  rev varchar(255) NOT NULL, history varchar(255) NOT NULL, `partition` integer NOT NULL, sequence integer NOT NULL,
  event longblob, contentid bigint NOT NULL, inserted datetime NOT NULL);
CREATE TABLE `SNAPSHOTS` (
  `key` varchar(255) NOT NULL, value longblob NOT NULL, contentid bigint NOT NULL, inserted datetime NOT NULL);

CREATE TABLE `AO_92296B_AORECENTLY_VIEWED` (
  `CONTENT_ID` bigint, `CONTENT_TYPE` varchar(255), `ID` bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, `LAST_VIEW_DATE` datetime,
  `SPACE_KEY` varchar(255), `USER_KEY` varchar(255));
CREATE TABLE `AO_6384AB_DISCOVERED` (
  `DATE` datetime, `ID` int NOT NULL AUTO_INCREMENT PRIMARY KEY, `KEY` varchar(255), `PLUGIN_KEY` varchar(255), `USER_KEY` varchar(255));
CREATE TABLE `AO_21F425_MESSAGE_AO` (`CONTENT` mediumtext NOT NULL, `ID` varchar(255) NOT NULL);
CREATE TABLE `AO_88BB94_BATCH_NOTIFICATION` (`BATCHING_COLUMN` varchar(255), `ID` int NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `PAYLOAD` mediumtext);
