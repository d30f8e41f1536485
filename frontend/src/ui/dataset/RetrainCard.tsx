import { useQuery } from "@tanstack/react-query";
import { CalendarClock, RefreshCw, Settings2 } from "lucide-react";
import { useState } from "react";
import { api } from "../../api/endpoints";
import type { Loop, Retraining } from "../../api/types";
import { ago, count, counted } from "../kit/format";
import { Bar, Button, Note } from "../kit/kit";
import { useChange } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { RetrainingDialog } from "./RetrainingDialog";
import { mixText, scheduleText } from "./schedule";

/** When the next retraining comes by itself, on what, and the button that starts one now. */
export function RetrainCard({ loop }: { loop: Loop }) {
  const dataset = useDataset();
  const lead = mayLead(dataset);
  const [editing, setEditing] = useState(false);
  const retraining = useQuery({
    queryKey: ["retraining", dataset.id],
    queryFn: () => api.retraining(dataset.id),
    refetchInterval: 30_000,
  });
  return (
    <section className="card card--pad stack" aria-labelledby="retrain">
      <div className="row row--between">
        <h2 id="retrain">Next retraining</h2>
        {lead && retraining.data && (
          <Button size="small" icon={Settings2} onClick={() => setEditing(true)}>
            Settings
          </Button>
        )}
      </div>
      <Threshold loop={loop} />
      {retraining.data && <Plan retraining={retraining.data} />}
      {!loop.can_retrain && !loop.open_run && loop.reasons.length > 0 && (
        <Note tone="warn">
          {loop.reasons.map((reason) => (
            <p key={reason.code}>{reason.message}</p>
          ))}
        </Note>
      )}
      <div className="row">
        <Start loop={loop} lead={lead} />
        {!lead && <p className="small muted">Leads of the dataset start retraining.</p>}
      </div>
      {editing && retraining.data && (
        <RetrainingDialog retraining={retraining.data} onClose={() => setEditing(false)} />
      )}
    </section>
  );
}

function Threshold({ loop }: { loop: Loop }) {
  const left = Math.max(0, loop.retrain_after - loop.new_masks);
  return (
    <div className="stack stack--small">
      <Bar value={Math.min(1, loop.new_masks / loop.retrain_after)} label="New masks until the next retraining" />
      <p className="small muted">
        {count(loop.new_masks)} of {count(loop.retrain_after)} new masks
        {loop.auto_retrain ? left > 0 && `; ${count(left)} more start it by themselves` : "; they start nothing"}
        {". "}
        {counted(loop.train_masks, "mask")} to learn from, {count(loop.held_out_masks)} held out to judge
        {loop.held_out_masks < loop.held_out_needed ? ` (${count(loop.held_out_needed)} needed)` : ""}.
      </p>
    </div>
  );
}

function Plan({ retraining }: { retraining: Retraining }) {
  const { schedule, mix } = retraining;
  const minutes = retraining.minutes ?? retraining.default_minutes;
  const steps = retraining.steps ?? retraining.default_steps;
  return (
    <div className="stack stack--small small muted">
      <p className="line">
        <CalendarClock size={15} aria-hidden />
        <span>
          {schedule.kind === "off" ? "Not by the clock" : scheduleText(schedule)}
          {schedule.next_at && `, next ${ago(schedule.next_at)}`}.
          {schedule.asked_at && schedule.answer && ` ${capital(ago(schedule.asked_at))}: ${schedule.answer}`}
        </span>
      </p>
      <p>
        Trains for {counted(minutes, "minute")}
        {steps > 0 && ` or ${counted(steps, "step")}`} on {mixText(mix) || "nothing yet"}.
      </p>
    </div>
  );
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

function Start({ loop, lead }: { loop: Loop; lead: boolean }) {
  const dataset = useDataset();
  const start = useChange(() => api.startRun(dataset.id), [["loop", dataset.id]]);
  return (
    <Button
      look="primary"
      icon={RefreshCw}
      disabled={!lead || !loop.can_retrain || loop.open_run !== null}
      busy={start.isPending}
      onClick={() => start.mutate()}
    >
      Retrain now
    </Button>
  );
}
