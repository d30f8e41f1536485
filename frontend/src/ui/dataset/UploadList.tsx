import { CircleAlert, CircleCheck, Pause, Play, RotateCw, X } from "lucide-react";
import { useState } from "react";
import { isOpen, type UploadItem, type UploadQueue } from "../../actions/uploadQueue";
import { api } from "../../api/endpoints";
import type { Refusal } from "../../api/types";
import { bytes, counted, percent } from "../kit/format";
import { Bar, Button, IconButton } from "../kit/kit";
import type { Uploads } from "./useUploads";

/** So many rows are drawn; what needs a person comes first. */
const SHOWN = 60;
const ORDER: Record<UploadItem["state"], number> = {
  broken: 0,
  interrupted: 1,
  failed: 2,
  sending: 4,
  checking: 5,
  paused: 6,
  waiting: 7,
  done: 8,
};
const DONE_BUT_REFUSED = 3;

/** Every file with its progress, and what was not taken of it and why. */
export function UploadList({ uploads }: { uploads: Uploads }) {
  const { items, queue } = uploads;
  if (items.length === 0) return null;
  const open = items.filter(isOpen).length;
  const moving = items.some((item) => item.state === "sending" || item.state === "waiting");
  const stopped = items.some((item) => item.state === "paused" || item.state === "broken");
  const ended = items.some((item) => item.state === "done" || item.state === "failed");
  return (
    <section className="card uploads" aria-label="Uploads">
      <div className="row row--between">
        <b role="status">{open > 0 ? `${counted(open, "file")} on the way` : headline(items)}</b>
        <div className="row">
          {moving && (
            <Button size="small" look="quiet" icon={Pause} onClick={() => queue.pauseAll()}>
              Pause all
            </Button>
          )}
          {stopped && (
            <Button size="small" look="quiet" icon={Play} onClick={() => queue.resumeAll()}>
              Go on with all
            </Button>
          )}
          {ended && (
            <Button size="small" look="quiet" onClick={() => void queue.clear()}>
              Clear the list
            </Button>
          )}
        </div>
      </div>
      {open > 1 && <Bar value={shareOf(items)} label="All files" />}
      <ul className="uploads__list">
        {firstOf(items).map((item) => (
          <UploadRow key={item.key} item={item} queue={queue} />
        ))}
      </ul>
      {items.length > SHOWN && <p className="muted small">and {counted(items.length - SHOWN, "more file")}</p>}
    </section>
  );
}

/** Those that are drawn, in their order; the list may hold thousands and changes all the time, so it is not sorted. */
function firstOf(items: readonly UploadItem[]): UploadItem[] {
  const ranks: UploadItem[][] = [];
  for (const item of items) {
    // Refused files of an archive that went in otherwise want to be seen as well.
    const place = item.state === "done" && item.record?.refused ? DONE_BUT_REFUSED : ORDER[item.state];
    ranks[place] ??= [];
    ranks[place].push(item);
  }
  return ranks.flat().slice(0, SHOWN);
}

function headline(items: readonly UploadItem[]): string {
  if (items.some((item) => item.state === "broken")) return "The connection broke";
  if (items.some((item) => item.state === "interrupted")) return "Uploads to go on with";
  if (items.some((item) => item.state === "paused")) return "Uploads paused";
  return "Uploads finished";
}

/** Of the bytes, with the check of what arrived as the last tenth. */
function shareOf(items: readonly UploadItem[]): number {
  let all = 0;
  let gone = 0;
  for (const item of items) {
    all += item.size;
    const ended = item.state === "done" || item.state === "failed";
    const share = item.state === "checking" ? 0.9 + item.share / 10 : item.share * 0.9;
    gone += item.size * (ended ? 1 : share);
  }
  return all ? gone / all : 0;
}

function UploadRow({ item, queue }: { item: UploadItem; queue: UploadQueue }) {
  const busy = item.state === "sending" || item.state === "checking";
  return (
    <li className="upload">
      <span className="upload__name" title={item.name}>
        {item.name}
      </span>
      <span className="row upload__state">
        <Outcome item={item} />
        <Actions item={item} queue={queue} />
      </span>
      {(busy || item.state === "paused" || item.state === "broken") && (
        <Bar value={item.state === "checking" && item.share === 0 ? null : item.share} label={item.name} />
      )}
      {item.state === "interrupted" && (
        <p className="upload__note">
          {percent(item.share)} of it is here. Choose the same file again, and it goes on from there.
        </p>
      )}
      {item.message !== "" && <p className="upload__rejects">{item.message}</p>}
      <Rejects item={item} />
    </li>
  );
}

function Actions({ item, queue }: { item: UploadItem; queue: UploadQueue }) {
  const { key, name, state } = item;
  return (
    <>
      {(state === "sending" || state === "waiting") && (
        <IconButton icon={Pause} size="small" look="quiet" label={`Pause ${name}`} onClick={() => queue.pause(key)} />
      )}
      {state === "paused" && (
        <IconButton
          icon={Play}
          size="small"
          look="quiet"
          label={`Go on with ${name}`}
          onClick={() => queue.resume(key)}
        />
      )}
      {state === "broken" && (
        <IconButton
          icon={RotateCw}
          size="small"
          look="quiet"
          label={`Try ${name} again`}
          onClick={() => queue.resume(key)}
        />
      )}
      {state !== "done" && state !== "failed" && (
        <IconButton icon={X} size="small" look="quiet" label={`Stop ${name}`} onClick={() => void queue.remove(key)} />
      )}
    </>
  );
}

function Outcome({ item }: { item: UploadItem }) {
  const { record, state } = item;
  if (state === "sending") {
    return <span className="muted">{`${bytes(item.share * item.size)} of ${bytes(item.size)}`}</span>;
  }
  if (state === "checking") {
    return <span className="muted">{item.share > 0 ? `checking, ${percent(item.share)}` : "checking"}</span>;
  }
  if (state !== "done" && state !== "failed") return <span className="muted">{state}</span>;
  const parts = [
    record?.job ? "arrived" : "",
    record?.added ? `${record.added} added` : "",
    record?.known ? `${record.known} there already` : "",
    record?.refused ? `${record.refused} not taken` : "",
  ].filter(Boolean);
  const bad = state === "failed" || (record?.refused ?? 0) > 0;
  const Icon = bad ? CircleAlert : CircleCheck;
  return (
    <span className={bad ? "status status--bad" : "status status--good"}>
      <Icon size={15} aria-hidden />
      {parts.join(", ") || (state === "failed" ? "not taken" : "nothing in it")}
    </span>
  );
}

function Rejects({ item }: { item: UploadItem }) {
  const [all, setAll] = useState<readonly Refusal[] | null>(null);
  const { record } = item;
  if (!record || record.refused === 0) return null;
  const shown = all ?? record.refusals;
  return (
    <>
      <ul className="upload__rejects">
        {shown.map((refusal, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: an archive may hold the same name twice; the list only grows
          <li key={`${refusal.name}-${index}`}>
            {refusal.name === record.file_name ? "" : `${refusal.name}: `}
            {refusal.message}
          </li>
        ))}
      </ul>
      {shown.length < record.refused && (
        <Button
          size="small"
          look="quiet"
          onClick={() => void api.upload(record.id).then((detail) => setAll(detail.refusals))}
        >
          {`Show all ${record.refused} reasons`}
        </Button>
      )}
    </>
  );
}
