import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Download, FileDown, FileUp } from "lucide-react";
import { useRef, useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Job } from "../../api/types";
import { uploadFile } from "../../api/upload";
import { ago, count } from "../kit/format";
import { Badge, Bar, Button, buttonClass, Note } from "../kit/kit";
import { useToast } from "../kit/toast";
import { mayLead, mayReview, useDataset } from "./DatasetPage";

const FORMATS = [
  { id: "coco" as const, name: "COCO", about: "Pictures and one JSON file; masks as compressed run lengths." },
  {
    id: "sa1b" as const,
    name: "SA-1B",
    about: "Pictures with one JSON file each, as in Meta's Segment Anything dataset.",
  },
];

export function ExportTab() {
  const dataset = useDataset();
  const queries = useQueryClient();
  const toast = useToast();
  const jobs = useQuery({
    queryKey: ["jobs", dataset.id, "transfers"],
    queryFn: () => api.jobs(dataset.id, null),
    select: (page) => page.results.filter((job) => /export|import/.test(job.kind)),
    refetchInterval: (query) =>
      query.state.data?.results.some((job) => job.state === "queued" || job.state === "running") ? 1200 : false,
  });
  const start = useMutation({
    mutationFn: (format: "coco" | "sa1b") => api.startExport(dataset.id, format),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["jobs", dataset.id] }),
    onError: (error) => toast(messageOf(error)),
  });
  const list = jobs.data ?? [];
  return (
    <div className="columns">
      <section className="stack">
        <h2>Export</h2>
        <p className="muted">
          Every accepted mask with where it came from. The file is read again and checked before its link appears.
        </p>
        {!mayReview(dataset) && <Note>Reviewers and leads of the dataset can start an export.</Note>}
        <div className="card">
          {FORMATS.map((format) => (
            <div key={format.id} className="choice">
              <div>
                <h3>{format.name}</h3>
                <p className="muted small">{format.about}</p>
              </div>
              <Button
                icon={FileDown}
                disabled={!mayReview(dataset) || dataset.image_count === 0}
                busy={start.isPending && start.variables === format.id}
                onClick={() => start.mutate(format.id)}
              >
                Export {format.name}
              </Button>
            </div>
          ))}
        </div>
        {list.length > 0 && (
          <ul className="card" aria-label="Exports and imports">
            {list.map((job) => (
              <TransferRow key={job.id} job={job} />
            ))}
          </ul>
        )}
      </section>
      <Import />
    </div>
  );
}

function TransferRow({ job }: { job: Job }) {
  const open = job.state === "queued" || job.state === "running";
  const isExport = job.kind.includes("export");
  return (
    <li className="job">
      <div className="row">
        <b className="grow">{job.title || job.kind}</b>
        {job.state === "succeeded" && isExport && (
          <a className={buttonClass("primary", "small")} href={api.exportUrl(job.id)} download>
            <Download size={15} aria-hidden />
            Download
          </a>
        )}
        {job.state === "succeeded" && !isExport && <Badge tone="good">Done</Badge>}
        {job.state === "failed" && <Badge tone="bad">Failed</Badge>}
        {job.state === "cancelled" && <Badge tone="warn">Cancelled</Badge>}
        {job.state === "queued" && <Badge>Waiting</Badge>}
      </div>
      {open && <Bar value={job.progress || null} label={job.title} />}
      {job.error && job.state === "failed" && <p className="down">{job.error.message}</p>}
      <p className="muted">
        {[open ? job.message : summary(job.result), ago(job.created_at)].filter(Boolean).join(" · ")}
      </p>
    </li>
  );
}

/** The counts in a job's result, whatever they are called there. */
function summary(result: Job["result"]): string {
  return Object.entries(result ?? {})
    .filter((entry): entry is [string, number] => typeof entry[1] === "number" && !entry[0].includes("byte"))
    .map(([name, value]) => `${count(value)} ${name.replaceAll("_", " ")}`)
    .join(", ");
}

function Import() {
  const dataset = useDataset();
  const queries = useQueryClient();
  const picker = useRef<HTMLInputElement>(null);
  const [progress, setProgress] = useState<number | null>(null);
  const [error, setError] = useState("");
  if (!mayLead(dataset)) return null;
  const send = async (file: File) => {
    setError("");
    setProgress(0);
    try {
      await uploadFile<Job>(`/api/datasets/${dataset.id}/imports/`, "file", file, setProgress);
    } catch (problem) {
      setError(messageOf(problem));
    } finally {
      setProgress(null);
      void queries.invalidateQueries({ queryKey: ["jobs", dataset.id] });
    }
  };
  return (
    <section className="stack">
      <h2>Import</h2>
      <p className="muted">
        A zip of pictures with COCO or SA-1B annotations. What is in this dataset already is not added twice.
      </p>
      {error && <Note tone="bad">{error}</Note>}
      <div className="card card--pad stack">
        {progress === null ? (
          <Button icon={FileUp} onClick={() => picker.current?.click()}>
            Choose a zip file
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
          accept=".zip,application/zip"
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
