ALTER TABLE "uploads" ADD COLUMN "credentials_alive_until" TIMESTAMPTZ(3);

CREATE TABLE "credential_grants" (
    "id" BIGSERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "upload_id" TEXT,
    "resource" TEXT NOT NULL,
    "session_name" TEXT NOT NULL,
    "ttl_seconds" INTEGER NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "request_id" TEXT NOT NULL,
    "sts_request_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "credential_grants_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "credential_grants_kind_check" CHECK (
        "kind" IN ('upload', 'direct', 'auth-url') AND ("kind" = 'upload') = ("upload_id" IS NOT NULL)
    ),
    CONSTRAINT "credential_grants_ttl_check" CHECK ("ttl_seconds" > 0)
);

CREATE TABLE "auth_urls" (
    "id" TEXT NOT NULL,
    "token_hash" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "auth_urls_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "auth_urls_token_check" CHECK ("token_hash" ~ '^[0-9a-f]{64}$')
);

CREATE TABLE "tenants" (
    "tenant" TEXT NOT NULL,
    "suspended_at" TIMESTAMPTZ(3),
    "suspended_by_operator" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("tenant")
);

CREATE TABLE "events" (
    "id" BIGSERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "upload_id" TEXT,
    "detail" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "events_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "events_kind_check" CHECK ("kind" IN ('object-changed'))
);

CREATE INDEX "credential_grants_upload_id_idx" ON "credential_grants"("upload_id");
CREATE INDEX "credential_grants_tenant_created_at_id_idx" ON "credential_grants"("tenant", "created_at" DESC, "id" DESC);
CREATE UNIQUE INDEX "auth_urls_token_hash_key" ON "auth_urls"("token_hash");
CREATE INDEX "auth_urls_expires_at_idx" ON "auth_urls"("expires_at");
CREATE INDEX "events_tenant_created_at_id_idx" ON "events"("tenant", "created_at" DESC, "id" DESC);
-- For administrators of all tenants.
CREATE INDEX "events_created_at_id_idx" ON "events"("created_at" DESC, "id" DESC);
