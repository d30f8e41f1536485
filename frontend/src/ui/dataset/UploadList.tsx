import { CircleAlert, CircleCheck, RotateCw } from "lucide-react";
import { counted } from "../kit/format";
import { Bar, Button } from "../kit/kit";
import type { UploadItem, Uploads } from "./useUploads";

/** Every file with its progress, and of every zip what was not taken and why. */
export function UploadList({ uploads }: { uploads: Uploads }) {
  const { items } = uploads;
  if (items.length === 0) return null;
  const open = items.filter((item) => item.state === "waiting" || item.state === "sending").length;
  return (
    <section className="card uploads" aria-label="Uploads">
      <div className="row row--between">
        <b role="status">{open > 0 ? `${counted(open, "file")} on the way` : "Uploads finished"}</b>
        {open < items.length && (
          <Button size="small" look="quiet" onClick={uploads.clear}>
            Clear the list
          </Button>
        )}
      </div>
      <ul className="uploads__list">
        {items.map((item) => (
          <li key={item.id} className="upload">
            <span className="upload__name">{item.file.name}</span>
            <Outcome item={item} retry={() => uploads.retry(item.id)} />
            {(item.state === "sending" || item.state === "waiting") && (
              <Bar
                value={item.state === "sending" && item.progress === 1 ? null : item.progress}
                label={item.file.name}
              />
            )}
            <Rejects item={item} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Outcome({ item, retry }: { item: UploadItem; retry: () => void }) {
  if (item.state === "waiting") return <span className="muted">waiting</span>;
  if (item.state === "sending") {
    return <span className="muted">{item.progress < 1 ? `${Math.round(item.progress * 100)} %` : "checking"}</span>;
  }
  const { report } = item;
  if (item.state === "failed" && !report) {
    return (
      <Button size="small" icon={RotateCw} onClick={retry}>
        Try again
      </Button>
    );
  }
  const parts = [
    report?.accepted.length ? `${report.accepted.length} added` : "",
    report?.duplicates.length ? `${report.duplicates.length} there already` : "",
    report?.rejected.length ? `${report.rejected.length} not taken` : "",
  ].filter(Boolean);
  const bad = (report?.rejected.length ?? 0) > 0;
  const Icon = bad ? CircleAlert : CircleCheck;
  return (
    <span className={bad ? "status status--bad" : "status status--good"}>
      <Icon size={15} aria-hidden />
      {parts.join(", ") || "nothing in it"}
    </span>
  );
}

function Rejects({ item }: { item: UploadItem }) {
  const rejected = item.report?.rejected ?? [];
  if (item.state === "failed" && rejected.length === 0) {
    return <p className="upload__rejects">{item.message}</p>;
  }
  if (rejected.length === 0) return null;
  return (
    <ul className="upload__rejects">
      {rejected.map((reject) => (
        <li key={reject.name}>
          {reject.name === item.file.name ? "" : `${reject.name}: `}
          {reject.message}
        </li>
      ))}
    </ul>
  );
}
