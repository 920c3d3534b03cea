-- Roles per kind of service (least privilege); they are no walls between tenants.
CREATE ROLE pipeline_reader;
GRANT SELECT ON TABLE tenants, offices, requests, decisions, outcomes, parked TO ROLE pipeline_reader;
