CREATE TABLE "uploads" (
    "id" TEXT NOT NULL,
    "tenant" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "due_at" TIMESTAMPTZ(3),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "lease" INTEGER NOT NULL DEFAULT 0,
    "file_name" TEXT NOT NULL,
    "content_type" TEXT NOT NULL,
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "fingerprint" TEXT,
    "size_bytes" BIGINT NOT NULL,
    "part_size_bytes" BIGINT NOT NULL,
    "bucket" TEXT NOT NULL,
    "region" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "oss_upload_id" TEXT,
    "stored_bytes" BIGINT NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_activity_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "grants_alive_until" TIMESTAMPTZ(3),
    "complete_sent_at" TIMESTAMPTZ(3),
    "claimed_crc64" TEXT,
    "expected_crc64" TEXT,
    "completed_at" TIMESTAMPTZ(3),
    "etag" TEXT,
    "crc64" TEXT,
    "abort_reason" TEXT,

    CONSTRAINT "uploads_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "uploads_state_check" CHECK ("state" IN ('pending', 'uploading', 'completing', 'completed', 'aborting', 'aborted')),
    CONSTRAINT "uploads_abort_reason_check" CHECK (
        ("state" IN ('aborting', 'aborted')) = ("abort_reason" IS NOT NULL)
        AND "abort_reason" IN ('user', 'expired', 'upload-gone', 'integrity', 'key-taken')
    ),
    -- Whoever enters one of these states leaves the time after which somebody else may take over.
    CONSTRAINT "uploads_lease_check" CHECK ("state" NOT IN ('pending', 'completing', 'aborting') OR "due_at" IS NOT NULL),
    CONSTRAINT "uploads_upload_id_check" CHECK ("state" <> 'uploading' OR "oss_upload_id" IS NOT NULL OR "size_bytes" = 0),
    CONSTRAINT "uploads_completed_check" CHECK ("state" <> 'completed' OR ("etag" IS NOT NULL AND "completed_at" IS NOT NULL)),
    CONSTRAINT "uploads_size_check" CHECK ("size_bytes" >= 0 AND "part_size_bytes" > 0 AND "stored_bytes" BETWEEN 0 AND "size_bytes")
);

CREATE TABLE "upload_parts" (
    "upload_id" TEXT NOT NULL,
    "part_number" INTEGER NOT NULL,
    "size_bytes" BIGINT NOT NULL,
    "etag" TEXT,
    "crc64" TEXT,
    "refused" TEXT,

    CONSTRAINT "upload_parts_pkey" PRIMARY KEY ("upload_id", "part_number"),
    CONSTRAINT "upload_parts_number_check" CHECK ("part_number" BETWEEN 1 AND 10000)
);

CREATE TABLE "idempotency_keys" (
    "tenant" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "hash" TEXT NOT NULL,
    "upload_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("tenant", "subject", "key")
);

CREATE INDEX "idempotency_keys_upload_id_idx" ON "idempotency_keys"("upload_id");
CREATE INDEX "idempotency_keys_created_at_idx" ON "idempotency_keys"("created_at");
CREATE UNIQUE INDEX "uploads_key_key" ON "uploads"("key");
CREATE INDEX "uploads_tenant_subject_created_at_id_idx" ON "uploads"("tenant", "subject", "created_at" DESC, "id" DESC);

-- The rows somebody must drive on: few, whatever the table's size.
CREATE INDEX "uploads_due_idx" ON "uploads"("due_at") WHERE "due_at" IS NOT NULL;
-- The sweep's candidates.
CREATE INDEX "uploads_idle_idx" ON "uploads"("last_activity_at") WHERE "state" = 'uploading';
-- "Is this file already on its way?"
CREATE INDEX "uploads_fingerprint_idx" ON "uploads"("tenant", "subject", "fingerprint", "size_bytes")
    WHERE "fingerprint" IS NOT NULL;
-- The tenant's list.
CREATE INDEX "uploads_tenant_created_at_id_idx" ON "uploads"("tenant", "created_at" DESC, "id" DESC);

ALTER TABLE "upload_parts" ADD CONSTRAINT "upload_parts_upload_id_fkey"
    FOREIGN KEY ("upload_id") REFERENCES "uploads"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "idempotency_keys" ADD CONSTRAINT "idempotency_keys_upload_id_fkey"
    FOREIGN KEY ("upload_id") REFERENCES "uploads"("id") ON DELETE CASCADE ON UPDATE CASCADE;
