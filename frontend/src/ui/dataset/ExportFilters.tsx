import { useQuery } from "@tanstack/react-query";
import { api } from "../../api/endpoints";
import type { ExportChoices, ExportFilter } from "../../api/types";
import { NumberInput } from "../kit/fields";
import { count } from "../kit/format";
import { Field } from "../kit/kit";
import { useDataset } from "./DatasetPage";
import { stageTitle } from "./stageNames";

type Kind = keyof ExportChoices;

const KINDS: { kind: Kind; title: string; names?: Record<string, string>; empty?: string }[] = [
  { kind: "statuses", title: "Status", names: { accepted: "Accepted", proposed: "Proposed by a model" } },
  {
    kind: "sources",
    title: "Made by",
    names: { model: "Model", model_edited: "Model, edited", hand: "Hand", imported: "Imported" },
  },
  { kind: "stages", title: "Stage" },
  { kind: "categories", title: "Category", empty: "without a category" },
  { kind: "models", title: "Model version", empty: "no model" },
  { kind: "splits", title: "Split", names: { train: "Training", validation: "Validation", held_out: "Held out" } },
  { kind: "licences", title: "Licence", empty: "no licence given" },
  {
    kind: "consents",
    title: "Consent",
    names: { given: "Given", not_needed: "Not needed", refused: "Refused or withdrawn" },
    empty: "Not known",
  },
];

interface ExportFiltersProps {
  filters: ExportFilter;
  change: (filters: ExportFilter) => void;
}

/** Only what the dataset has is offered; nothing ticked in a group means all of it. */
export function ExportFilters({ filters, change }: ExportFiltersProps) {
  const dataset = useDataset();
  const choices = useQuery({
    queryKey: ["export-choices", dataset.id, dataset.mask_count],
    queryFn: () => api.exportChoices(dataset.id),
  });
  const active = Object.values(filters).filter(isSet).length;
  const lists = filters as Record<Kind, string[] | undefined>;
  const toggle = (kind: Kind, value: string) => {
    const before = lists[kind] ?? [];
    const after = before.includes(value) ? before.filter((one) => one !== value) : [...before, value];
    change({ ...filters, [kind]: after });
  };
  return (
    <details className="card card--pad">
      <summary>{active > 0 ? `Filters: ${active}` : "Filters: everything accepted"}</summary>
      <div className="stack filters">
        <p className="muted small">
          Nothing ticked in a group means all of it; of statuses the accepted ones, of consents all but refused.
        </p>
        <div className="fields">
          {KINDS.filter(({ kind }) => (choices.data?.[kind].length ?? 0) > 1 || lists[kind]?.length).map((one) => (
            <fieldset key={one.kind} className="filter">
              <legend className="field__label">{one.title}</legend>
              {choices.data?.[one.kind].map((choice) => (
                <label key={choice.value} className="row">
                  <input
                    type="checkbox"
                    checked={lists[one.kind]?.includes(choice.value) ?? false}
                    onChange={() => toggle(one.kind, choice.value)}
                  />
                  <span className="grow">{nameOf(one, choice.value)}</span>
                  <span className="muted small">{count(choice.count)}</span>
                </label>
              ))}
            </fieldset>
          ))}
        </div>
        <label className="row">
          <input
            type="checkbox"
            checked={filters.masked ?? false}
            onChange={(event) => change({ ...filters, masked: event.target.checked })}
          />
          Only images with such masks
        </label>
        <label className="row">
          <input
            type="checkbox"
            checked={filters.audited ?? false}
            onChange={(event) => change({ ...filters, audited: event.target.checked })}
          />
          Only images that people corrected in an audit
        </label>
        <AuditIoU filters={filters} change={change} />
      </div>
    </details>
  );
}

/** How far people had to correct a mask in an audit: 1 is not at all. */
function AuditIoU({ filters, change }: ExportFiltersProps) {
  const ends = [
    { key: "audit_iou_min", label: "Audit IoU from" },
    { key: "audit_iou_max", label: "Audit IoU to" },
  ] as const;
  return (
    <div className="fields">
      {ends.map(({ key, label }) => (
        <Field key={key} label={label} hint="Only masks that an audit looked at. 1 is left as it was found.">
          {(id, hintId) => (
            <NumberInput
              id={id}
              className="input"
              aria-describedby={hintId}
              min={0}
              max={1}
              step="any"
              value={filters[key] ?? null}
              onNumber={(iou) => change({ ...filters, [key]: iou === null ? null : Math.min(1, Math.max(0, iou)) })}
            />
          )}
        </Field>
      ))}
    </div>
  );
}

/** Whether a filter leaves anything out; an IoU of 0 does, since masks without one are left out. */
export const isSet = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== false && value !== null && value !== undefined;

function nameOf(one: (typeof KINDS)[number], value: string): string {
  if (one.kind === "stages") return stageTitle(value as "assisted");
  if (value === "") return one.empty ?? "none";
  if (one.kind === "models") return value.slice(0, 12);
  return one.names?.[value] ?? value;
}
