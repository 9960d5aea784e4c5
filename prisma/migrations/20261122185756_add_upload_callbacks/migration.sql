CREATE TABLE "upload_callbacks" (
    "upload_id" TEXT NOT NULL,
    "callback" JSONB NOT NULL,
    "status" INTEGER,
    "body" TEXT,

    CONSTRAINT "upload_callbacks_pkey" PRIMARY KEY ("upload_id"),
    CONSTRAINT "upload_callbacks_result_check" CHECK (("status" IS NULL) = ("body" IS NULL))
);

ALTER TABLE "upload_callbacks" ADD CONSTRAINT "upload_callbacks_upload_id_fkey"
    FOREIGN KEY ("upload_id") REFERENCES "uploads"("id") ON DELETE CASCADE ON UPDATE CASCADE;
