-- Tenant OWNS Office PROCESSES Request: the edges are the interleaved keys, so there are no edge tables.
CREATE OR REPLACE PROPERTY GRAPH multi_tenant_pipeline_graph
  NODE TABLES (
    tenants AS Tenant KEY (tenant_id) LABEL Tenant PROPERTIES (tenant_id, name, status),
    offices AS Office KEY (tenant_id, office_id) LABEL Office PROPERTIES (tenant_id, office_id, name, status),
    requests AS Request KEY (tenant_id, office_id, request_id) LABEL Request
      PROPERTIES (tenant_id, office_id, request_id, contact_id, communication_mode, lead_score, received_at)
  )
  EDGE TABLES (
    offices AS Owns KEY (tenant_id, office_id)
      SOURCE KEY (tenant_id) REFERENCES Tenant (tenant_id)
      DESTINATION KEY (tenant_id, office_id) REFERENCES Office (tenant_id, office_id)
      LABEL OWNS NO PROPERTIES,
    requests AS Processes KEY (tenant_id, office_id, request_id)
      SOURCE KEY (tenant_id, office_id) REFERENCES Office (tenant_id, office_id)
      DESTINATION KEY (tenant_id, office_id, request_id) REFERENCES Request (tenant_id, office_id, request_id)
      LABEL PROCESSES NO PROPERTIES
  );
