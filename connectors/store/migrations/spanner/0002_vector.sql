-- Approximate search. tenant_id as a further key column keeps a search inside its tenant; Spanner tunes the tree itself.
CREATE VECTOR INDEX IF NOT EXISTS requests_by_content ON requests (content_embedding, tenant_id)
  STORING (lead_score, communication_mode)
  WHERE content_embedding IS NOT NULL OPTIONS (distance_type = 'COSINE');
