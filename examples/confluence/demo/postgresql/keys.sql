-- Keys, indexes, functions and triggers of the sample database, added once its rows are in.

ALTER TABLE content ADD PRIMARY KEY (contentid);
ALTER TABLE contentproperties ADD PRIMARY KEY (propertyid);
ALTER TABLE bodycontent ADD PRIMARY KEY (bodycontentid);
ALTER TABLE spaces ADD PRIMARY KEY (spaceid);
ALTER TABLE attachmentdata ADD PRIMARY KEY (attachmentdataid);
ALTER TABLE imagedetails ADD PRIMARY KEY (attachmentid);
ALTER TABLE bandana ADD PRIMARY KEY (bandanaid);
ALTER TABLE confversion ADD PRIMARY KEY (confversionid);
ALTER TABLE confzdu ADD PRIMARY KEY (confzduid);
ALTER TABLE clustersafety ADD PRIMARY KEY (clustersafetyid);
ALTER TABLE os_propertyentry ADD PRIMARY KEY (entity_name, entity_id, entity_key);
ALTER TABLE cwd_directory ADD PRIMARY KEY (id);
ALTER TABLE cwd_directory_attribute ADD PRIMARY KEY (directory_id, attribute_name);
ALTER TABLE cwd_user ADD PRIMARY KEY (id);
ALTER TABLE user_mapping ADD PRIMARY KEY (user_key);
ALTER TABLE plugindata ADD PRIMARY KEY (plugindataid);
ALTER TABLE journalentry ADD PRIMARY KEY (entry_id);
ALTER TABLE scheduler_run_details ADD PRIMARY KEY (id);
ALTER TABLE label ADD PRIMARY KEY (labelid);
ALTER TABLE content_label ADD PRIMARY KEY (id);
ALTER TABLE pagetemplates ADD PRIMARY KEY (templateid);
ALTER TABLE confancestors ADD PRIMARY KEY (descendentid, ancestorposition);
ALTER TABLE spacepermissions ADD PRIMARY KEY (permid);
ALTER TABLE content_perm_set ADD PRIMARY KEY (id);
ALTER TABLE content_perm ADD PRIMARY KEY (id);
ALTER TABLE backup_restore_job_details ADD PRIMARY KEY (id);
ALTER TABLE backup_restore_job_settings ADD PRIMARY KEY (id);
ALTER TABLE backup_restore_job_statistics ADD PRIMARY KEY (id);
ALTER TABLE "SECRETS" ADD PRIMARY KEY (key);
ALTER TABLE "EVENTS" ADD PRIMARY KEY (rev, history);
ALTER TABLE "SNAPSHOTS" ADD PRIMARY KEY (key);
ALTER TABLE "AO_92296B_AORECENTLY_VIEWED" ADD PRIMARY KEY ("ID");
ALTER TABLE "AO_6384AB_DISCOVERED" ADD PRIMARY KEY ("ID");
ALTER TABLE "AO_21F425_MESSAGE_AO" ADD PRIMARY KEY ("ID");
ALTER TABLE "AO_88BB94_BATCH_NOTIFICATION" ADD PRIMARY KEY ("ID");

ALTER TABLE spaces ADD UNIQUE (spacekey);
ALTER TABLE attachmentdata ADD UNIQUE (attachmentid);
ALTER TABLE bandana ADD UNIQUE (bandanacontext, bandanakey);
ALTER TABLE confversion ADD UNIQUE (buildnumber);
ALTER TABLE cwd_directory ADD UNIQUE (lower_directory_name);
ALTER TABLE cwd_user ADD UNIQUE (lower_user_name, directory_id);
ALTER TABLE user_mapping ADD UNIQUE (lower_username);
ALTER TABLE plugindata ADD UNIQUE (pluginkey);
ALTER TABLE plugindata ADD UNIQUE (filename);

CREATE INDEX c_prevver_idx ON content (prevver);
CREATE INDEX c_pageid_idx ON content (pageid);
CREATE INDEX c_parentid_idx ON content (parentid);
CREATE INDEX c_title_idx ON content (title);
CREATE INDEX c_lowertitle_idx ON content (lowertitle);
CREATE INDEX c_spaceid_idx ON content (spaceid);
CREATE INDEX c_space_type_idx ON content (spaceid, contenttype, prevver, content_status, creationdate);
CREATE INDEX cp_content_idx ON contentproperties (contentid);
CREATE INDEX cp_name_idx ON contentproperties (propertyname);
CREATE INDEX body_content_idx ON bodycontent (contentid);
CREATE INDEX ca_ancestor_idx ON confancestors (ancestorid);
CREATE INDEX cl_content_idx ON content_label (contentid);
CREATE INDEX "e_h_p_s_idx" ON "EVENTS" (history, partition, sequence);

ALTER TABLE content ADD FOREIGN KEY (prevver) REFERENCES content;
ALTER TABLE content ADD FOREIGN KEY (pageid) REFERENCES content;
ALTER TABLE content ADD FOREIGN KEY (parentid) REFERENCES content;
ALTER TABLE content ADD FOREIGN KEY (parentccid) REFERENCES content;
ALTER TABLE content ADD FOREIGN KEY (parentcommentid) REFERENCES content;
ALTER TABLE content ADD FOREIGN KEY (spaceid) REFERENCES spaces;
ALTER TABLE content ADD FOREIGN KEY (creator) REFERENCES user_mapping;
ALTER TABLE content ADD FOREIGN KEY (lastmodifier) REFERENCES user_mapping;
ALTER TABLE content ADD FOREIGN KEY (username) REFERENCES user_mapping;
ALTER TABLE contentproperties ADD FOREIGN KEY (contentid) REFERENCES content;
ALTER TABLE bodycontent ADD FOREIGN KEY (contentid) REFERENCES content;
ALTER TABLE spaces ADD FOREIGN KEY (spacedescid) REFERENCES content;
ALTER TABLE spaces ADD FOREIGN KEY (homepage) REFERENCES content;
ALTER TABLE spaces ADD FOREIGN KEY (creator) REFERENCES user_mapping;
ALTER TABLE spaces ADD FOREIGN KEY (lastmodifier) REFERENCES user_mapping;
ALTER TABLE attachmentdata ADD FOREIGN KEY (attachmentid) REFERENCES content;
ALTER TABLE imagedetails ADD FOREIGN KEY (attachmentid) REFERENCES content;
ALTER TABLE cwd_directory_attribute ADD FOREIGN KEY (directory_id) REFERENCES cwd_directory;
ALTER TABLE cwd_user ADD FOREIGN KEY (directory_id) REFERENCES cwd_directory;
ALTER TABLE label ADD FOREIGN KEY (owner) REFERENCES user_mapping;
ALTER TABLE content_label ADD FOREIGN KEY (contentid) REFERENCES content;
ALTER TABLE content_label ADD FOREIGN KEY (labelid) REFERENCES label;
ALTER TABLE content_label ADD FOREIGN KEY (pagetemplateid) REFERENCES pagetemplates;
ALTER TABLE content_label ADD FOREIGN KEY (owner) REFERENCES user_mapping;
ALTER TABLE confancestors ADD FOREIGN KEY (descendentid) REFERENCES content;
ALTER TABLE confancestors ADD FOREIGN KEY (ancestorid) REFERENCES content;
ALTER TABLE spacepermissions ADD FOREIGN KEY (spaceid) REFERENCES spaces;
ALTER TABLE content_perm_set ADD FOREIGN KEY (content_id) REFERENCES content;
ALTER TABLE content_perm ADD FOREIGN KEY (cps_id) REFERENCES content_perm_set;

-- Thirteen triggers and five functions that only return the row: the feature behind them is off.
CREATE FUNCTION content_denormalised_permissions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION spaces_denormalised_permissions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION spacepermissions_denormalised_permissions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION content_perm_denormalised_permissions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE FUNCTION content_perm_set_denormalised_permissions() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER denormalised_content_insert AFTER INSERT ON content
  FOR EACH ROW EXECUTE FUNCTION content_denormalised_permissions();
CREATE TRIGGER denormalised_content_update AFTER UPDATE ON content
  FOR EACH ROW EXECUTE FUNCTION content_denormalised_permissions();
CREATE TRIGGER denormalised_content_delete AFTER DELETE ON content
  FOR EACH ROW EXECUTE FUNCTION content_denormalised_permissions();
CREATE TRIGGER denormalised_spaces_insert AFTER INSERT ON spaces
  FOR EACH ROW EXECUTE FUNCTION spaces_denormalised_permissions();
CREATE TRIGGER denormalised_spaces_update AFTER UPDATE ON spaces
  FOR EACH ROW EXECUTE FUNCTION spaces_denormalised_permissions();
CREATE TRIGGER denormalised_spaces_delete AFTER DELETE ON spaces
  FOR EACH ROW EXECUTE FUNCTION spaces_denormalised_permissions();
CREATE TRIGGER denormalised_spacepermissions_insert AFTER INSERT ON spacepermissions
  FOR EACH ROW EXECUTE FUNCTION spacepermissions_denormalised_permissions();
CREATE TRIGGER denormalised_spacepermissions_update AFTER UPDATE ON spacepermissions
  FOR EACH ROW EXECUTE FUNCTION spacepermissions_denormalised_permissions();
CREATE TRIGGER denormalised_spacepermissions_delete AFTER DELETE ON spacepermissions
  FOR EACH ROW EXECUTE FUNCTION spacepermissions_denormalised_permissions();
CREATE TRIGGER denormalised_content_perm_insert AFTER INSERT ON content_perm
  FOR EACH ROW EXECUTE FUNCTION content_perm_denormalised_permissions();
CREATE TRIGGER denormalised_content_perm_update AFTER UPDATE ON content_perm
  FOR EACH ROW EXECUTE FUNCTION content_perm_denormalised_permissions();
CREATE TRIGGER denormalised_content_perm_delete AFTER DELETE ON content_perm
  FOR EACH ROW EXECUTE FUNCTION content_perm_denormalised_permissions();
CREATE TRIGGER denormalised_content_perm_set_delete AFTER DELETE ON content_perm_set
  FOR EACH ROW EXECUTE FUNCTION content_perm_set_denormalised_permissions();
