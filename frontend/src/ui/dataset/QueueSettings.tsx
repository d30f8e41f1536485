import { useEffect, useId, useRef } from "react";
import { api } from "../../api/endpoints";
import type { Dataset, DatasetChange } from "../../api/types";
import { SelectField } from "../kit/fields";
import { counted } from "../kit/format";
import { Field } from "../kit/kit";
import { keysOf, useChange } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";

const ORDERS: Record<Dataset["queue_order"], { label: string; hint: string }> = {
  oldest: { label: "Oldest first", hint: "In the order in which the pictures came." },
  newest: { label: "Newest first", hint: "The latest pictures before the others." },
  random: { label: "Random", hint: "The same for everybody; another number shuffles anew." },
  uncertainty: {
    label: "Where the model is least sure",
    hint: "A job asks the model 36 clicks per picture: how far its candidates disagree, how little it trusts them and how unstable they are. What it has not looked at yet comes last.",
  },
};

/** Who gets which picture next. */
export function QueueSettings() {
  const dataset = useDataset();
  const title = useId();
  const change = useChange(
    (body: DatasetChange) => api.changeDataset(dataset.id, body),
    keysOf(dataset.id, "dataset", "members"),
  );
  const lead = mayLead(dataset);
  const set = (body: DatasetChange) => change.mutate(body);
  return (
    <section className="card card--pad stack" aria-labelledby={title}>
      <h2 id={title}>Queue</h2>
      <div className="fields">
        <SelectField
          label="Order"
          hint={ORDERS[dataset.queue_order].hint}
          value={dataset.queue_order}
          disabled={!lead || change.isPending}
          onChange={(chosen) => set({ queue_order: chosen })}
        >
          {Object.entries(ORDERS).map(([order, { label }]) => (
            <option key={order} value={order}>
              {label}
            </option>
          ))}
        </SelectField>
        {dataset.queue_order === "random" && (
          <WholeField
            label="Seed"
            hint="0 to 47"
            value={dataset.queue_seed}
            max={47}
            lead={lead}
            send={(queue_seed) => set({ queue_seed })}
          />
        )}
        <WholeField
          label="Second person, % of pictures"
          hint="They start from the bare picture and see nothing of the first. Their masks are compared and stay out of the dataset."
          value={Math.round(dataset.overlap_share * 100)}
          max={100}
          lead={lead}
          send={(percent) => set({ overlap_share: percent / 100 })}
        />
        <WholeField
          label="Reviewed, % of annotators' pictures"
          hint="A reviewer accepts, corrects or returns each mask."
          value={Math.round(dataset.review_share * 100)}
          max={100}
          lead={lead}
          send={(percent) => set({ review_share: percent / 100 })}
        />
        {dataset.review_share > 0 && (
          <SelectField
            label="How much of each person"
            hint="The tab Review tells the rule and everybody's share."
            value={dataset.review_adapts ? "record" : "same"}
            disabled={!lead || change.isPending}
            onChange={(chosen) => set({ review_adapts: chosen === "record" })}
          >
            <option value="record">More or less by their record</option>
            <option value="same">The same of everybody</option>
          </SelectField>
        )}
        <WholeField
          label="Training pictures for new annotators"
          hint={trainingHint(dataset)}
          value={dataset.training_images}
          max={1000}
          lead={lead}
          send={(training_images) => set({ training_images })}
        />
        {dataset.training_images > 0 && (
          <WholeField
            label="Passed at a mean IoU of, %"
            hint="Over the latest of them. A missed object counts as 0."
            value={Math.round(dataset.training_iou * 100)}
            max={100}
            lead={lead}
            send={(percent) => set({ training_iou: percent / 100 })}
          />
        )}
      </div>
    </section>
  );
}

function trainingHint(dataset: Dataset): string {
  if (dataset.training_images === 0) return "0: none. Otherwise pictures are marked as gold in the list of images.";
  const gold = counted(dataset.gold_count, "gold picture");
  return dataset.gold_count === 0
    ? "No gold picture with masks yet, so nobody is held up: mark some in the list of images."
    : `${gold} with masks to measure against. See who passed on the tab People.`;
}

interface WholeFieldProps {
  label: string;
  hint: string;
  value: number;
  max: number;
  lead: boolean;
  send: (value: number) => void;
}

/** A whole number; it is sent when the field is left or Enter is pressed. */
function WholeField({ label, hint, value, max, lead, send }: WholeFieldProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (input.current) input.current.value = String(value); // what the server made of it, or of somebody else's
  }, [value]);
  const finish = (element: HTMLInputElement) => {
    if (element.valueAsNumber === value) return;
    if (element.value === "") element.value = String(value);
    else if (element.reportValidity()) send(element.valueAsNumber);
  };
  return (
    <Field label={label} hint={hint}>
      {(id, hintId) => (
        <input
          ref={input}
          id={id}
          className="input"
          aria-describedby={hintId}
          type="number"
          min={0}
          max={max}
          step={1}
          defaultValue={value}
          disabled={!lead}
          onBlur={(event) => finish(event.target)}
          onKeyDown={(event) => {
            if (event.key === "Enter") finish(event.currentTarget);
          }}
        />
      )}
    </Field>
  );
}
