-- The tables of a Confluence 9 database that the sample site fills, with their oddities: unquoted core tables,
-- upper-case quoted add-on tables, tables without a key. Keys come later (keys.sql), so that loading is quick.

CREATE TABLE content (
  contentid bigint NOT NULL, hibernateversion integer NOT NULL DEFAULT 0, contenttype varchar(255) NOT NULL,
  title varchar(255), lowertitle varchar(255), version integer, creator varchar(255), creationdate timestamp,
  lastmodifier varchar(255), lastmoddate timestamp, versioncomment text, prevver bigint, content_status varchar(255),
  pageid bigint, spaceid bigint, child_position integer, parentid bigint, pluginkey varchar(255), pluginver varchar(255),
  parentccid bigint, draftpageid varchar(255), draftspacekey varchar(255), drafttype varchar(255),
  draftpageversion integer, parentcommentid bigint, username varchar(255));
CREATE TABLE contentproperties (
  propertyid bigint NOT NULL, propertyname varchar(255) NOT NULL, stringval varchar(255), longval bigint,
  dateval timestamp, contentid bigint);
CREATE TABLE bodycontent (bodycontentid bigint NOT NULL, body text, contentid bigint, bodytypeid smallint);
CREATE TABLE spaces (
  spaceid bigint NOT NULL, spacename varchar(255), spacekey varchar(255) NOT NULL, lowerspacekey varchar(255) NOT NULL,
  spacedescid bigint, homepage bigint, creator varchar(255), creationdate timestamp, lastmodifier varchar(255),
  lastmoddate timestamp, spacetype varchar(255), spacestatus varchar(255));
CREATE TABLE attachmentdata (
  attachmentdataid bigint NOT NULL, hibernateversion integer NOT NULL DEFAULT 0, attversion integer NOT NULL,
  data bytea, attachmentid bigint NOT NULL);
CREATE TABLE imagedetails (attachmentid bigint NOT NULL, height integer, width integer, mimetype varchar(30));
CREATE TABLE bandana (
  bandanaid bigint NOT NULL, bandanacontext varchar(255) NOT NULL, bandanakey varchar(100) NOT NULL, bandanavalue text);
CREATE TABLE confversion (
  confversionid bigint NOT NULL, buildnumber integer NOT NULL, installdate timestamp, versiontag varchar(255),
  finalized char(1) NOT NULL DEFAULT 'N', creationdate timestamp, lastmoddate timestamp);
CREATE TABLE confzdu (
  confzduid bigint NOT NULL, state varchar(255) NOT NULL, orig_ver varchar(255) NOT NULL,
  orig_build_number integer NOT NULL DEFAULT 0);
CREATE TABLE clustersafety (clustersafetyid bigint NOT NULL, safetynumber integer);
CREATE TABLE os_propertyentry (
  entity_name varchar(125) NOT NULL, entity_id bigint NOT NULL, entity_key varchar(200) NOT NULL, key_type integer,
  boolean_val boolean, double_val double precision, string_val varchar(255), text_val text, long_val bigint,
  int_val integer, date_val timestamp);
CREATE TABLE cwd_directory (
  id bigint NOT NULL, directory_name varchar(255) NOT NULL, lower_directory_name varchar(255) NOT NULL,
  created_date timestamp NOT NULL, updated_date timestamp NOT NULL, active char(1) NOT NULL, description varchar(255),
  impl_class varchar(255) NOT NULL, lower_impl_class varchar(255) NOT NULL, directory_type varchar(32) NOT NULL);
CREATE TABLE cwd_directory_attribute (
  directory_id bigint NOT NULL, attribute_name varchar(255) NOT NULL, attribute_value varchar(4000));
CREATE TABLE cwd_user (
  id bigint NOT NULL, user_name varchar(255) NOT NULL, lower_user_name varchar(255) NOT NULL, active char(1) NOT NULL,
  created_date timestamp NOT NULL, updated_date timestamp NOT NULL, first_name varchar(255),
  lower_first_name varchar(255), last_name varchar(255), lower_last_name varchar(255), display_name varchar(255),
  lower_display_name varchar(255), email_address varchar(255), lower_email_address varchar(255),
  external_id varchar(255), directory_id bigint NOT NULL, credential varchar(255));
CREATE TABLE user_mapping (user_key varchar(255) NOT NULL, username varchar(255) NOT NULL, lower_username varchar(255));
CREATE TABLE plugindata (
  plugindataid bigint NOT NULL, pluginkey varchar(255) NOT NULL, filename varchar(255) NOT NULL, lastmoddate timestamp,
  data bytea);
CREATE TABLE journalentry (
  entry_id bigint NOT NULL, journal_name varchar(255), creationdate timestamp, type varchar(255), message varchar(2047),
  triedtimes integer NOT NULL DEFAULT 0);
CREATE TABLE scheduler_run_details (
  id bigint NOT NULL, job_id varchar(255), start_time timestamp, duration bigint, outcome char(1), message varchar(255));
CREATE TABLE label (
  labelid bigint NOT NULL, name varchar(255), owner varchar(255), namespace varchar(255), creationdate timestamp,
  lastmoddate timestamp);
CREATE TABLE content_label (
  id bigint NOT NULL, labelid bigint NOT NULL, contentid bigint, pagetemplateid bigint, owner varchar(255),
  creationdate timestamp, lastmoddate timestamp, labelableid bigint, labelabletype varchar(255));
CREATE TABLE pagetemplates (templateid bigint NOT NULL, templatename varchar(255) NOT NULL, content text);
CREATE TABLE confancestors (descendentid bigint NOT NULL, ancestorposition integer NOT NULL, ancestorid bigint NOT NULL);
CREATE TABLE spacepermissions (
  permid bigint NOT NULL, spaceid bigint, permtype varchar(255) NOT NULL, permgroupname varchar(255),
  permusername varchar(255), permalluserssubject varchar(255), creationdate timestamp);
CREATE TABLE content_perm_set (
  id bigint NOT NULL, cont_perm_type varchar(255) NOT NULL, content_id bigint NOT NULL, creationdate timestamp);
CREATE TABLE content_perm (
  id bigint NOT NULL, cp_type varchar(10) NOT NULL, username varchar(255), groupname varchar(255), cps_id bigint NOT NULL);
CREATE TABLE hibernate_unique_key (next_hi bigint);
CREATE TABLE backup_restore_job_details (
  id bigint NOT NULL, operation varchar(255) NOT NULL, scope varchar(20) NOT NULL, state varchar(20) NOT NULL,
  create_time timestamp NOT NULL, start_processing_time timestamp, finish_processing_time timestamp,
  error_message varchar(1000), owner varchar(255), terminator varchar(255), cancel_time timestamp,
  filename varchar(1000), single_space_key varchar(255), space_keys varchar(1000), file_delete_time timestamp,
  file_exists boolean);
CREATE TABLE backup_restore_job_settings (id bigint NOT NULL, settings text);
CREATE TABLE backup_restore_job_statistics (id bigint NOT NULL, job_statistics text);
CREATE TABLE "SECRETS" (key varchar(255) NOT NULL, value varchar(256) NOT NULL);
CREATE TABLE "EVENTS" (
  rev varchar(255) NOT NULL, history varchar(255) NOT NULL, partition integer NOT NULL, sequence integer NOT NULL,
  event bytea, contentid bigint NOT NULL, inserted timestamp NOT NULL);
CREATE TABLE "SNAPSHOTS" (
  key varchar(255) NOT NULL, value bytea NOT NULL, contentid bigint NOT NULL, inserted timestamp NOT NULL);

CREATE TABLE "AO_92296B_AORECENTLY_VIEWED" (
  "CONTENT_ID" bigint, "CONTENT_TYPE" varchar(255), "ID" bigserial NOT NULL, "LAST_VIEW_DATE" timestamp,
  "SPACE_KEY" varchar(255), "USER_KEY" varchar(255));
CREATE TABLE "AO_6384AB_DISCOVERED" (
  "DATE" timestamp, "ID" serial NOT NULL, "KEY" varchar(255), "PLUGIN_KEY" varchar(255), "USER_KEY" varchar(255));
CREATE TABLE "AO_21F425_MESSAGE_AO" ("CONTENT" text NOT NULL, "ID" varchar(255) NOT NULL);
CREATE TABLE "AO_88BB94_BATCH_NOTIFICATION" ("BATCHING_COLUMN" varchar(255), "ID" serial NOT NULL, "PAYLOAD" text);

CREATE SEQUENCE seq_journal_entry_id START 100000;
CREATE SEQUENCE seq_denormalised_space_change_log_id;
CREATE SEQUENCE seq_denormalised_content_change_log_id;
