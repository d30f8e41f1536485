import { useQuery } from "@tanstack/react-query";
import { Download, FolderInput } from "lucide-react";
import { useEffect } from "react";
import { api } from "../../api/endpoints";
import type { ExportFormat, Job } from "../../api/types";
import { ago, counted } from "../kit/format";
import { Badge, Bar, buttonClass, EmptyState, ErrorState } from "../kit/kit";
import { keysOf, useAskAnew } from "../kit/useChange";
import { useDataset } from "./DatasetPage";

const OPEN = new Set(["queued", "running"]);

/** Exports and imports, newest first, with what became of them. */
export function TransferList({ formats }: { formats: ExportFormat[] }) {
  const dataset = useDataset();
  const jobs = useQuery({
    queryKey: ["jobs", dataset.id, "transfers"],
    queryFn: () => api.transfers(dataset.id),
    select: (page) => page.results,
    refetchInterval: (query) => (query.state.data?.results.some((job) => OPEN.has(job.state)) ? 1200 : false),
  });
  const askAnew = useAskAnew();
  const coming = jobs.data?.filter((job) => job.kind === "import" && OPEN.has(job.state)).length ?? 0;
  useEffect(() => {
    if (coming === 0) return;
    return () => {
      // An import has ended: there are more pictures and masks than the page says.
      void askAnew(keysOf(dataset.id, "images", "dataset"));
    };
  }, [coming, askAnew, dataset.id]);
  if (jobs.isLoadingError) return <ErrorState error={jobs.error} retry={() => void jobs.refetch()} />;
  if (jobs.data?.length === 0) {
    return (
      <EmptyState icon={FolderInput} title="No exports or imports yet">
        They show up here with their progress; an export's link appears when it was read again.
      </EmptyState>
    );
  }
  return (
    <ul className="card" aria-label="Exports and imports">
      {jobs.data?.map((job) => (
        <TransferRow key={job.id} job={job} formats={formats} />
      ))}
    </ul>
  );
}

function TransferRow({ job, formats }: { job: Job; formats: ExportFormat[] }) {
  const open = OPEN.has(job.state);
  const isExport = job.kind === "export";
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
        {[open ? job.message : summary(job), isExport && choices(job, formats), ago(job.created_at)]
          .filter(Boolean)
          .join(" · ")}
      </p>
      {!isExport && <Refusals job={job} />}
    </li>
  );
}

const number = (job: Job, name: string): number => Number(job.result?.[name] ?? 0);

function summary(job: Job): string {
  if (!job.result || job.state !== "succeeded") return "";
  const parts =
    job.kind === "export"
      ? [
          counted(number(job, "images"), "image"),
          counted(number(job, "masks"), "mask"),
          number(job, "left_out") > 0 && `${counted(number(job, "left_out"), "mask")} the format cannot hold`,
        ]
      : [
          counted(number(job, "images_new"), "new picture"),
          number(job, "images_known") > 0 && `${number(job, "images_known")} there already`,
          counted(number(job, "masks_new"), "new mask"),
          number(job, "masks_known") > 0 && `${number(job, "masks_known")} there already`,
          number(job, "boxes_new") > 0 && `${counted(number(job, "boxes_new"), "box", "boxes")} shown to the model`,
          number(job, "refused") > 0 && `${number(job, "refused")} not taken`,
        ];
  return parts.filter(Boolean).join(", ");
}

/** Options that differ from the usual, and which filters were set. */
function choices(job: Job, formats: ExportFormat[]): string {
  const options = (job.result?.options ?? {}) as Record<string, string | number>;
  const filters = (job.result?.filters ?? {}) as Record<string, string[] | boolean | number>;
  const known = formats.find((one) => one.name === job.result?.format)?.options ?? [];
  const told = known
    .filter((option) => option.name in options && options[option.name] !== option.default)
    .map((option) => `${option.title.toLowerCase()}: ${titleOf(option, options[option.name])}`);
  for (const [name, value] of Object.entries(filters)) {
    if (typeof value === "boolean") told.push(name);
    else told.push(`${FILTERS[name] ?? name}: ${Array.isArray(value) ? value.map(shortened).join(", ") : value}`);
  }
  return told.join("; ");
}

const FILTERS: Record<string, string> = { audit_iou_min: "audit IoU from", audit_iou_max: "audit IoU to" };
const shortened = (value: string): string => value.slice(0, 20) || "none";

function titleOf(option: ExportFormat["options"][number], value: string | number | undefined): string {
  return option.choices.find((choice) => choice.value === value)?.title ?? String(value);
}

function Refusals({ job }: { job: Job }) {
  const refusals = (job.result?.refusals ?? []) as { item: string; code: string; message: string }[];
  if (refusals.length === 0) return null;
  const more = number(job, "refused") - refusals.length;
  return (
    <details>
      <summary>What was not taken</summary>
      <ul className="refusals">
        {refusals.map((refusal) => (
          <li key={`${refusal.item} ${refusal.code}`}>
            {refusal.item}: {refusal.message}
          </li>
        ))}
        {more > 0 && <li>and {counted(more, "more", "more")}</li>}
      </ul>
    </details>
  );
}
