import { Circle, CircleCheck, CircleDashed } from "lucide-react";
import { Switch } from "radix-ui";
import { useId } from "react";
import { api } from "../../api/endpoints";
import type { StageCheck, StageRuleChange, StageStep } from "../../api/types";
import { count, counted } from "../kit/format";
import { TableScroll } from "../kit/kit";
import { useChange } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { STAGE_NAMES } from "./stageNames";

/** What has to hold before the dataset goes on: today's values beside the lead's targets. */
export function Checklist({ step }: { step: StageStep }) {
  const dataset = useDataset();
  const lead = mayLead(dataset);
  const ids = useId();
  const change = useChange(
    (rule: StageRuleChange) => api.changeStageRule(dataset.id, step.stage, rule),
    [["stages", dataset.id]],
  );
  return (
    <section className="card card--pad stack" aria-labelledby={`${ids}title`}>
      <div className="row row--between">
        <h2 id={`${ids}title`}>
          From {STAGE_NAMES[step.stage]} to {STAGE_NAMES[step.next]}
        </h2>
        <label className="row" htmlFor={`${ids}rule`}>
          <span className="small">Move by itself</span>
          <Switch.Root
            id={`${ids}rule`}
            className="switch"
            checked={step.rule.by_rule}
            disabled={!lead || change.isPending}
            onCheckedChange={(by_rule) => change.mutate({ by_rule })}
          >
            <Switch.Thumb className="switch__thumb" />
          </Switch.Root>
        </label>
      </div>
      <TableScroll label="Checklist">
        <table className="table checklist">
          <thead>
            <tr>
              <th scope="col">Asked for</th>
              <th scope="col" className="number">
                Today
              </th>
              <th scope="col" className="number">
                Target
              </th>
            </tr>
          </thead>
          <tbody>
            {step.checks.map((check) => (
              <Row key={check.key} step={step} check={check} lead={lead} change={change.mutate} />
            ))}
          </tbody>
        </table>
      </TableScroll>
      <p className="small muted">{verdict(step)}</p>
    </section>
  );
}

function verdict(step: StageStep): string {
  const asked = step.checks.filter((check) => check.target !== null);
  if (asked.length === 0) return "Nothing is asked for, so only a lead moves the dataset.";
  const open = asked.filter((check) => !check.met).length;
  if (open > 0)
    return `${open} of ${counted(asked.length, "condition")} not met yet. An empty target is not asked for.`;
  return step.rule.by_rule ? "All met: the dataset moves within a minute." : "All met. It stays until a lead moves it.";
}

interface RowProps {
  step: StageStep;
  check: StageCheck;
  lead: boolean;
  change: (rule: StageRuleChange) => void;
}

function Row({ step, check, lead, change }: RowProps) {
  const Icon = check.target === null ? CircleDashed : check.met ? CircleCheck : Circle;
  const state = check.target === null ? "not asked for" : check.met ? "met" : "not met";
  return (
    <tr>
      <th scope="row">
        <span className="row checklist__line">
          <Icon size={18} className={check.met && check.target !== null ? "up" : undefined} aria-label={state} />
          <span>
            <Label step={step} check={check} lead={lead} change={change} />
            <br />
            <span className="muted small">{basis(check)}</span>
          </span>
        </span>
      </th>
      <td className="number">{shown(check, check.value)}</td>
      <td className="number">
        {lead ? <Target check={check} change={change} /> : check.target === null ? "–" : shown(check, check.target)}
      </td>
    </tr>
  );
}

function Label({ step, check, lead, change }: RowProps) {
  if (check.key === "masks") return <>Masks that people made or accepted</>;
  if (check.key === "kept") return <>Prefilled masks kept untouched</>;
  return (
    <>
      Held-out IoU of the serving model after{" "}
      {lead ? (
        <select
          className="input input--small"
          aria-label="Clicks"
          value={step.rule.clicks}
          onChange={(event) => change({ clicks: Number(event.target.value) === 3 ? 3 : 1 })}
        >
          <option value={1}>1 click</option>
          <option value={3}>3 clicks</option>
        </select>
      ) : (
        counted(step.rule.clicks, "click")
      )}
    </>
  );
}

function basis({ key, value, of }: StageCheck): string {
  if (key === "masks") return "Accepted, corrected and imported ones; not what the model accepted by itself";
  if (key === "iou")
    return value === null ? "Measured by the first retraining" : `On ${counted(of ?? 0, "held-out mask")}`;
  if (value === null)
    return of ? `Only ${count(of)} decided so far; 20 are needed` : "Nobody has decided on a prefilled mask yet";
  return `Of the latest ${count(of ?? 0)} that people decided on`;
}

function shown({ key }: StageCheck, value: number | null): string {
  if (value === null) return "–";
  if (key === "masks") return count(value);
  return key === "iou" ? value.toFixed(3) : `${Math.round(value * 100)} %`;
}

const NAMES: Record<StageCheck["key"], string> = {
  masks: "Target for masks",
  iou: "Target for the IoU",
  kept: "Target for the share kept, in percent",
};

/** A number that may be left empty. It is sent when the field is left or Enter is pressed. */
function Target({ check, change }: { check: StageCheck; change: (rule: StageRuleChange) => void }) {
  const { key, target } = check;
  const scale = key === "kept" ? 100 : 1;
  const now = target === null ? "" : String(Math.round(target * scale * 1000) / 1000);
  const send = (element: HTMLInputElement) => {
    if (element.value === now) return;
    if (!element.reportValidity()) return;
    change({ [key]: element.value === "" ? null : Number(element.value) / scale });
  };
  return (
    <input
      key={now}
      className="input input--number"
      type="number"
      aria-label={NAMES[key]}
      defaultValue={now}
      min={0}
      max={key === "masks" ? 100_000_000 : scale}
      step={key === "iou" ? "any" : 1}
      placeholder="–"
      onBlur={(event) => send(event.target)}
      onKeyDown={(event) => {
        if (event.key === "Enter") send(event.currentTarget);
      }}
    />
  );
}
