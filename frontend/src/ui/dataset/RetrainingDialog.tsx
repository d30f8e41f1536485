import { useMutation } from "@tanstack/react-query";
import { Switch } from "radix-ui";
import { type FormEvent, useId, useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Retraining, RetrainingChange } from "../../api/types";
import { Button, Dialog, Field, Note } from "../kit/kit";
import { useToast } from "../kit/toast";
import { keysOf, useAskAnew, useShow } from "../kit/useChange";
import { useDataset } from "./DatasetPage";
import { WEEKDAYS, zoneHere, zones } from "./schedule";

type Kind = Retraining["schedule"]["kind"];

interface Form {
  auto: boolean;
  after: string;
  kind: Kind;
  every: string;
  at: string;
  weekday: string;
  zone: string;
  minutes: string;
  steps: string;
  /** Per cent. */
  automatic: string;
  synthetic: string;
}

const formOf = (retraining: Retraining): Form => ({
  auto: retraining.auto_retrain,
  after: String(retraining.retrain_after),
  kind: retraining.schedule.kind,
  every: String(retraining.schedule.every ?? 24),
  at: retraining.schedule.at ?? "02:00",
  weekday: String(retraining.schedule.weekday ?? 0),
  zone: retraining.schedule.at ? retraining.schedule.zone : zoneHere(),
  minutes: String(retraining.minutes ?? ""),
  steps: String(retraining.steps ?? ""),
  automatic: String(Math.round(retraining.automatic_weight * 100)),
  synthetic: String(Math.round(retraining.synthetic_share * 100)),
});

/** What the server is told; an empty number means the installation's own. */
function changeOf(form: Form): RetrainingChange {
  const change: RetrainingChange = {
    auto_retrain: form.auto,
    retrain_after: Number(form.after),
    minutes: form.minutes === "" ? null : Number(form.minutes),
    steps: form.steps === "" ? null : Number(form.steps),
    automatic_weight: Number(form.automatic) / 100,
    synthetic_share: Number(form.synthetic) / 100,
  };
  const when = { at: form.at, zone: form.zone };
  if (form.kind === "off") change.schedule = { kind: "off" };
  if (form.kind === "hours") change.schedule = { kind: "hours", every: Number(form.every) };
  if (form.kind === "daily") change.schedule = { kind: "daily", ...when };
  if (form.kind === "weekly") change.schedule = { kind: "weekly", weekday: Number(form.weekday), ...when };
  return change;
}

interface PartProps {
  form: Form;
  set: (change: Partial<Form>) => void;
}

/** When and how the dataset is retrained. */
export function RetrainingDialog({ retraining, onClose }: { retraining: Retraining; onClose: () => void }) {
  const dataset = useDataset();
  const show = useShow();
  const askAnew = useAskAnew();
  const toast = useToast();
  const [form, setForm] = useState(() => formOf(retraining));
  const set = (change: Partial<Form>) => setForm((now) => ({ ...now, ...change }));
  const save = useMutation({
    mutationFn: () => api.changeRetraining(dataset.id, changeOf(form)),
    onSuccess: async (saved) => {
      await show(["retraining", dataset.id], saved);
      void askAnew(keysOf(dataset.id, "loop", "dataset"));
      toast("Saved. A run that is under way goes on as it began.");
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Dialog title="Retraining" wide onClose={onClose}>
      <form className="stack" onSubmit={submit}>
        {save.isError && <Note tone="bad">{messageOf(save.error)}</Note>}
        <ByMasks form={form} set={set} />
        <ByClock form={form} set={set} other={retraining.schedule.text} />
        <Training form={form} set={set} retraining={retraining} />
        <div className="dialog__actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={save.isPending}>
            Save
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function ByMasks({ form, set }: PartProps) {
  const id = useId();
  return (
    <fieldset className="group">
      <legend>When there is enough that is new</legend>
      <div className="row">
        <Switch.Root id={id} className="switch" checked={form.auto} onCheckedChange={(auto) => set({ auto })}>
          <Switch.Thumb className="switch__thumb" />
        </Switch.Root>
        <label htmlFor={id}>Retrain by itself after</label>
        <Whole label="New masks" value={form.after} most={1_000_000} set={(after) => set({ after })} />
        <span>new masks</span>
      </div>
    </fieldset>
  );
}

function ByClock({ form, set, other }: PartProps & { other: string }) {
  const timed = form.kind === "daily" || form.kind === "weekly";
  return (
    <fieldset className="group">
      <legend>By the clock, if there is anything new</legend>
      <div className="row">
        <select
          className="input input--small"
          aria-label="How often"
          value={form.kind}
          onChange={(event) => set({ kind: event.target.value as Kind })}
        >
          <option value="off">Never</option>
          <option value="hours">Every few hours</option>
          <option value="daily">Every day</option>
          <option value="weekly">Every week</option>
          {form.kind === "other" && <option value="other">{other}</option>}
        </select>
        {form.kind === "hours" && (
          <>
            <Whole label="Hours" value={form.every} most={8784} set={(every) => set({ every })} />
            <span>hours</span>
          </>
        )}
        {form.kind === "weekly" && (
          <select
            className="input input--small"
            aria-label="Day"
            value={form.weekday}
            onChange={(event) => set({ weekday: event.target.value })}
          >
            {WEEKDAYS.map((day, number) => (
              <option key={day} value={number}>
                {day}
              </option>
            ))}
          </select>
        )}
        {timed && (
          <>
            <input
              className="input input--small"
              type="time"
              required
              aria-label="Time of day"
              value={form.at}
              onChange={(event) => set({ at: event.target.value })}
            />
            <select
              className="input input--small"
              aria-label="Time zone"
              value={form.zone}
              onChange={(event) => set({ zone: event.target.value })}
            >
              {[...new Set([form.zone, ...zones()])].map((zone) => (
                <option key={zone}>{zone}</option>
              ))}
            </select>
          </>
        )}
      </div>
    </fieldset>
  );
}

function Training({ form, set, retraining }: PartProps & { retraining: Retraining }) {
  const { default_minutes, default_steps } = retraining;
  return (
    <fieldset className="group">
      <legend>How</legend>
      <div className="fields">
        <WholeField
          label="Minutes"
          hint="Judging both models comes on top."
          value={form.minutes}
          most={10_080}
          placeholder={String(default_minutes)}
          set={(minutes) => set({ minutes })}
        />
        <WholeField
          label="Most steps"
          hint="Empty: as many as the minutes allow."
          value={form.steps}
          most={1_000_000}
          placeholder={default_steps > 0 ? String(default_steps) : "no limit"}
          set={(steps) => set({ steps })}
        />
        <WholeField
          label="Automatic masks, %"
          hint="The weight of one that nobody has looked at, against one by people."
          value={form.automatic}
          least={0}
          most={100}
          needed
          set={(automatic) => set({ automatic })}
        />
        <WholeField
          label="Synthetic scenes, %"
          hint="Of all views: a replay of what the model was raised on, against forgetting."
          value={form.synthetic}
          least={0}
          most={90}
          needed
          set={(synthetic) => set({ synthetic })}
        />
      </div>
    </fieldset>
  );
}

interface WholeProps {
  id?: string;
  hintId?: string;
  label?: string;
  value: string;
  least?: number;
  most: number;
  /** Shown while the field is empty. */
  placeholder?: string;
  needed?: boolean;
  set: (value: string) => void;
}

/** A whole number; without a placeholder it has to be given. */
function Whole({ id, hintId, label, value, least = 1, most, placeholder, needed = !placeholder, set }: WholeProps) {
  return (
    <input
      id={id}
      aria-label={label}
      aria-describedby={hintId}
      className="input input--number"
      type="number"
      inputMode="numeric"
      min={least}
      max={most}
      step={1}
      required={needed}
      placeholder={placeholder}
      value={value}
      onChange={(event) => set(event.target.value)}
    />
  );
}

/** The same below a label that is seen. */
function WholeField({ label, hint, ...whole }: Omit<WholeProps, "id" | "hintId"> & { label: string; hint: string }) {
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => <Whole {...whole} id={id} hintId={hintId} />}
    </Field>
  );
}
