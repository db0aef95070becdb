-- A role for the web and worker processes that can add to the journal and never change it.
--
-- Run once as the owner of the tables (the role that runs manage.py migrate), and again after a
-- migration that adds tables:
--     psql "$OWNER_DATABASE_URL" -v role=etims_app -f deploy/postgres/journal_role.sql
-- The role must exist (CREATE ROLE etims_app LOGIN PASSWORD '…') and own nothing. Put it into the
-- DATABASE_URL of the processes and keep the owner's password for migrations only: who is not the
-- owner cannot switch the trigger off.

GRANT USAGE ON SCHEMA public TO :role;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO :role;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO :role;

REVOKE ALL ON monitoring_journalentry, monitoring_journalcheckpoint FROM :role;
REVOKE ALL ON monitoring_journalentry, monitoring_journalcheckpoint FROM PUBLIC;
GRANT SELECT, INSERT ON monitoring_journalentry, monitoring_journalcheckpoint TO :role;

-- Nobody truncates what is evidence.
REVOKE TRUNCATE ON devices_call, sales_invoice, sales_invoiceline, sales_receipt FROM :role;
