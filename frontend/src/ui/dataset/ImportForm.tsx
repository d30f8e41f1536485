import { useQueryClient } from "@tanstack/react-query";
import { FileUp } from "lucide-react";
import { useRef, useState } from "react";
import { messageOf } from "../../api/client";
import type { ImportFormat, Job } from "../../api/types";
import { uploadFile } from "../../api/upload";
import { SelectField } from "../kit/fields";
import { Bar, Button, Note } from "../kit/kit";
import { useDataset } from "./DatasetPage";

/** One archive of pictures and annotations made elsewhere. */
export function ImportForm({ formats }: { formats: ImportFormat[] }) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const picker = useRef<HTMLInputElement>(null);
  const [format, setFormat] = useState("auto");
  const [progress, setProgress] = useState<number | null>(null);
  const [error, setError] = useState("");
  const about = formats.find((one) => one.name === format)?.about;
  const send = async (file: File) => {
    setError("");
    setProgress(0);
    try {
      const path = `/api/datasets/${dataset.id}/imports/`;
      await uploadFile<Job>(path, "file", file, setProgress, undefined, { format });
    } catch (problem) {
      setError(messageOf(problem));
    } finally {
      setProgress(null);
      void queries.invalidateQueries({ queryKey: ["jobs", dataset.id] });
    }
  };
  return (
    <section className="stack" aria-labelledby="import">
      <h2 id="import">Import</h2>
      <p className="muted">
        A zip or tar archive of pictures with annotations from another program. What is in this dataset already is not
        added twice, and what cannot be used is named with its reason.
      </p>
      {error && <Note tone="bad">{error}</Note>}
      <div className="card card--pad stack">
        <SelectField label="Format" hint={about ?? HINTS[format]} value={format} onChange={setFormat}>
          <option value="auto">Find out</option>
          <option value="images">Pictures alone</option>
          {formats.map((one) => (
            <option key={one.name} value={one.name}>
              {one.title}
            </option>
          ))}
        </SelectField>
        {progress === null ? (
          <Button icon={FileUp} onClick={() => picker.current?.click()}>
            Choose an archive
          </Button>
        ) : (
          <>
            <span role="status">{progress < 1 ? `Sending, ${Math.round(progress * 100)} %` : "Checking"}</span>
            <Bar value={progress < 1 ? progress : null} label="Upload of the archive" />
          </>
        )}
        <input
          ref={picker}
          type="file"
          accept=".zip,application/zip,.tar,.tgz,.gz,application/x-tar,application/gzip"
          hidden
          onChange={(event) => {
            const file = event.target.files?.[0];
            event.target.value = "";
            if (file) void send(file);
          }}
        />
      </div>
    </section>
  );
}

const HINTS: Record<string, string> = {
  auto: "From the names and beginnings of the files.",
  images: "Documents beside the pictures are passed over.",
};
