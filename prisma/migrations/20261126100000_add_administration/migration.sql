ALTER TABLE "uploads"
    ADD COLUMN "reconciled_at" TIMESTAMPTZ(3),
    ADD COLUMN "granted_parts" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "last_granted_at" TIMESTAMPTZ(3),
    ADD COLUMN "adopted_at" TIMESTAMPTZ(3),
    ADD COLUMN "lost_at" TIMESTAMPTZ(3),
    -- Bucket and table are compared in the order OSS lists keys: by their bytes.
    ALTER COLUMN "key" TYPE TEXT COLLATE "C";

ALTER TABLE "tenants"
    ADD COLUMN "max_open_uploads" INTEGER,
    ADD COLUMN "max_bytes_in_flight" BIGINT,
    ADD COLUMN "max_creates_per_minute" INTEGER;

CREATE TABLE "tenant_usage" (
    "tenant" TEXT NOT NULL,
    "open_uploads" BIGINT NOT NULL DEFAULT 0,
    "bytes_in_flight" BIGINT NOT NULL DEFAULT 0,
    "completed_uploads" BIGINT NOT NULL DEFAULT 0,
    "completed_bytes" BIGINT NOT NULL DEFAULT 0,
    "aborted_uploads" BIGINT NOT NULL DEFAULT 0,
    "minute" TIMESTAMPTZ(3) NOT NULL DEFAULT '-infinity',
    "creates_in_minute" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "tenant_usage_pkey" PRIMARY KEY ("tenant")
) WITH (fillfactor = 50);

INSERT INTO "tenant_usage" ("tenant", "open_uploads", "bytes_in_flight", "completed_uploads", "completed_bytes", "aborted_uploads")
SELECT "tenant",
    count(*) FILTER (WHERE "state" NOT IN ('completed', 'aborted')),
    coalesce(sum("size_bytes") FILTER (WHERE "state" NOT IN ('completed', 'aborted')), 0),
    count(*) FILTER (WHERE "state" = 'completed'),
    coalesce(sum("size_bytes") FILTER (WHERE "state" = 'completed'), 0),
    count(*) FILTER (WHERE "state" = 'aborted')
FROM "uploads" GROUP BY "tenant";

CREATE TABLE "webhooks" (
    "id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);

ALTER TABLE "events"
    DROP CONSTRAINT "events_kind_check",
    ADD CONSTRAINT "events_kind_check" CHECK ("kind" IN ('object-changed', 'object-left', 'state-changed')),
    ADD COLUMN "due_at" TIMESTAMPTZ(3),
    ADD COLUMN "attempts" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "delivered_at" TIMESTAMPTZ(3);

-- What an administrator should know about is rare; states change all the time.
DROP INDEX "events_tenant_created_at_id_idx";
DROP INDEX "events_created_at_id_idx";
CREATE INDEX "events_tenant_created_at_id_idx" ON "events"("tenant", "created_at" DESC, "id" DESC) WHERE "kind" <> 'state-changed';
CREATE INDEX "events_created_at_id_idx" ON "events"("created_at" DESC, "id" DESC) WHERE "kind" <> 'state-changed';
CREATE INDEX "events_upload_id_id_idx" ON "events"("upload_id", "id");
-- However often an object that is left is looked at, it is told once.
CREATE UNIQUE INDEX "events_object_left_key" ON "events"("upload_id") WHERE "kind" = 'object-left';
-- What is still to be delivered, by time, and by upload: in order.
CREATE INDEX "events_due_idx" ON "events"("due_at") WHERE "due_at" IS NOT NULL;
CREATE INDEX "events_waiting_idx" ON "events"("upload_id", "id") WHERE "due_at" IS NOT NULL;

-- Every change of state leaves its event and its tenant's numbers in the transaction that makes it, whichever statement that is.
-- These names mean this schema's tables, whatever the session's path is.
CREATE FUNCTION "uploads_state_changed"() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    "was" TEXT := CASE WHEN TG_OP <> 'INSERT' THEN OLD."state" END;
    "now_is" TEXT := CASE WHEN TG_OP <> 'DELETE' THEN NEW."state" END;
    "was_open" INTEGER := CASE WHEN "was" IS NOT NULL AND "was" NOT IN ('completed', 'aborted') THEN 1 ELSE 0 END;
    "is_open" INTEGER := CASE WHEN "now_is" IS NOT NULL AND "now_is" NOT IN ('completed', 'aborted') THEN 1 ELSE 0 END;
    "row" "uploads" := CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
BEGIN
    INSERT INTO "events" ("kind", "tenant", "upload_id", "detail", "due_at")
    VALUES ('state-changed', "row"."tenant", "row"."id",
        jsonb_build_object('from', "was", 'to', "now_is", 'abortReason', CASE WHEN TG_OP <> 'DELETE' THEN NEW."abort_reason" END),
        -- Behind those of this upload that wait already: nobody need look at it in vain.
        CASE WHEN EXISTS (SELECT FROM "webhooks" WHERE "seen_at" > now() - interval '1 day') THEN greatest(now(),
            (SELECT max("due_at") FROM "events" WHERE "upload_id" = "row"."id" AND "due_at" IS NOT NULL)) END);
    IF "was_open" <> "is_open" THEN
        INSERT INTO "tenant_usage" AS "usage" ("tenant", "open_uploads", "bytes_in_flight", "completed_uploads", "completed_bytes", "aborted_uploads")
        VALUES ("row"."tenant", "is_open" - "was_open", ("is_open" - "was_open") * "row"."size_bytes",
            CASE WHEN "now_is" = 'completed' THEN 1 ELSE 0 END,
            CASE WHEN "now_is" = 'completed' THEN "row"."size_bytes" ELSE 0 END,
            CASE WHEN "now_is" = 'aborted' THEN 1 ELSE 0 END)
        ON CONFLICT ("tenant") DO UPDATE SET
            "open_uploads" = "usage"."open_uploads" + excluded."open_uploads",
            "bytes_in_flight" = "usage"."bytes_in_flight" + excluded."bytes_in_flight",
            "completed_uploads" = "usage"."completed_uploads" + excluded."completed_uploads",
            "completed_bytes" = "usage"."completed_bytes" + excluded."completed_bytes",
            "aborted_uploads" = "usage"."aborted_uploads" + excluded."aborted_uploads";
    END IF;
    RETURN NULL;
END
$$;

-- An adopted upload's size is what OSS was last seen to hold.
CREATE FUNCTION "uploads_grown"() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE "tenant_usage" SET "bytes_in_flight" = "bytes_in_flight" + NEW."size_bytes" - OLD."size_bytes" WHERE "tenant" = NEW."tenant";
    RETURN NULL;
END
$$;

CREATE TRIGGER "uploads_created_or_removed" AFTER INSERT OR DELETE ON "uploads"
    FOR EACH ROW EXECUTE FUNCTION "uploads_state_changed"();
CREATE TRIGGER "uploads_moved" AFTER UPDATE OF "state" ON "uploads"
    FOR EACH ROW WHEN (OLD."state" IS DISTINCT FROM NEW."state") EXECUTE FUNCTION "uploads_state_changed"();
CREATE TRIGGER "uploads_grown" AFTER UPDATE OF "size_bytes" ON "uploads"
    FOR EACH ROW WHEN (OLD."size_bytes" <> NEW."size_bytes" AND NEW."state" NOT IN ('completed', 'aborted')) EXECUTE FUNCTION "uploads_grown"();

CREATE TABLE "server_keys" (
    "name" TEXT NOT NULL,
    "key" BYTEA NOT NULL,

    CONSTRAINT "server_keys_pkey" PRIMARY KEY ("name")
);

CREATE TABLE "usage_measurements" (
    "id" BIGSERIAL NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "usage_measurements_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "usage_amounts" (
    "measurement_id" BIGINT NOT NULL,
    "tenant" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "age_band" TEXT NOT NULL,
    "uploads" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,
    "stale_uploads" BIGINT NOT NULL,
    "stale_bytes" BIGINT NOT NULL,

    CONSTRAINT "usage_amounts_pkey" PRIMARY KEY ("measurement_id", "tenant", "state", "age_band")
);

CREATE TABLE "usage_snapshots" (
    "tenant" TEXT NOT NULL,
    "taken_at" TIMESTAMPTZ(3) NOT NULL,
    "uploads" BIGINT NOT NULL,
    "bytes" BIGINT NOT NULL,

    CONSTRAINT "usage_snapshots_pkey" PRIMARY KEY ("tenant", "taken_at")
);
CREATE INDEX "usage_snapshots_taken_at_idx" ON "usage_snapshots"("taken_at");

CREATE TABLE "sweeps" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "is_dry_run" BOOLEAN NOT NULL,
    "by_tenant" TEXT,
    "by_subject" TEXT,
    "tenant" TEXT,
    "older_than_seconds" INTEGER,
    "started_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),
    "examined" INTEGER NOT NULL DEFAULT 0,
    "aborted" INTEGER NOT NULL DEFAULT 0,
    "finished" INTEGER NOT NULL DEFAULT 0,
    "left" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "freed_bytes" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "sweeps_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "sweeps_kind_check" CHECK ("kind" IN ('sweep', 'abort'))
);
CREATE INDEX "sweeps_started_at_id_idx" ON "sweeps"("started_at" DESC, "id" DESC);
CREATE INDEX "sweeps_tenant_started_at_id_idx" ON "sweeps"("tenant", "started_at" DESC, "id" DESC);

-- Every open upload is asked about at OSS once a day: when next, stands in due_at, also while it is `uploading`.
UPDATE "uploads" SET "due_at" = now() + random() * interval '20 hours' WHERE "state" = 'uploading';
DROP INDEX "uploads_due_idx";
-- The rows somebody must drive on: few, whatever the table's size. Ended ones that are due for another look can be many after a sweep,
-- and stand in nobody's way. Nor do rows of a bucket that the server no longer works with, which stay overdue for ever.
CREATE INDEX "uploads_due_idx" ON "uploads"("bucket", "due_at") WHERE "state" IN ('pending', 'completing', 'aborting');
CREATE INDEX "uploads_ended_due_idx" ON "uploads"("bucket", "due_at") WHERE "due_at" IS NOT NULL AND "state" IN ('completed', 'aborted');
CREATE INDEX "uploads_check_idx" ON "uploads"("bucket", "due_at") WHERE "state" = 'uploading';
-- Those an instance of an older release moved: none, most of the time.
CREATE INDEX "uploads_unscheduled_idx" ON "uploads"("id") WHERE "state" = 'uploading' AND "due_at" IS NULL;
-- What OSS should know, in the order in which it lists: ended uploads, many under any prefix, are not walked through.
CREATE INDEX "uploads_uploading_key_idx" ON "uploads"("bucket", "key") WHERE "state" = 'uploading' AND "oss_upload_id" IS NOT NULL;
-- Until when are there credentials for this key?
CREATE INDEX "credential_grants_resource_expires_at_idx" ON "credential_grants"("resource", "expires_at");

-- Administrators' lists: each state in each order, of everybody and of one tenant. What else they filter by stands at the end, so that
-- rows are left out without being looked up; the bucket, for sweeps: the rows of a former one are the most idle and the oldest for ever.
DROP INDEX "uploads_idle_idx";
CREATE INDEX "uploads_open_activity_idx" ON "uploads"("state", "last_activity_at", "id", "stored_bytes", "created_at", "bucket")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
CREATE INDEX "uploads_open_bytes_idx" ON "uploads"("state", "stored_bytes", "id", "last_activity_at", "created_at")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
CREATE INDEX "uploads_open_created_idx" ON "uploads"("state", "created_at", "id", "last_activity_at", "stored_bytes", "bucket")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
CREATE INDEX "uploads_tenant_open_activity_idx" ON "uploads"("tenant", "state", "last_activity_at", "id", "stored_bytes", "created_at")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
CREATE INDEX "uploads_tenant_open_bytes_idx" ON "uploads"("tenant", "state", "stored_bytes", "id", "last_activity_at", "created_at")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
CREATE INDEX "uploads_tenant_open_created_idx" ON "uploads"("tenant", "state", "created_at", "id", "last_activity_at", "stored_bytes")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
CREATE INDEX "uploads_ended_activity_idx" ON "uploads"("state", "last_activity_at", "id") WHERE "state" IN ('completed', 'aborted');
CREATE INDEX "uploads_ended_created_idx" ON "uploads"("state", "created_at", "id") WHERE "state" IN ('completed', 'aborted');
CREATE INDEX "uploads_tenant_ended_activity_idx" ON "uploads"("tenant", "state", "last_activity_at", "id")
    WHERE "state" IN ('completed', 'aborted');
CREATE INDEX "uploads_tenant_ended_created_idx" ON "uploads"("tenant", "state", "created_at", "id")
    WHERE "state" IN ('completed', 'aborted');
-- Those whose keys begin with something, with what they are sorted and filtered by.
CREATE INDEX "uploads_open_key_idx" ON "uploads"("key")
    INCLUDE ("id", "tenant", "state", "last_activity_at", "stored_bytes", "created_at")
    WHERE "state" IN ('pending', 'uploading', 'completing', 'aborting');
