import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { FileDown } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { ExportFilter, ExportFormat, ExportStart } from "../../api/types";
import { NumberInput, SelectField } from "../kit/fields";
import { counted } from "../kit/format";
import { Button, Field, Note } from "../kit/kit";
import { useToast } from "../kit/toast";
import { useDataset } from "./DatasetPage";
import { ExportFilters } from "./ExportFilters";
import { versionsQuery } from "./VersionsSection";

type Options = Record<string, string | number>;

interface ExportFormProps {
  formats: ExportFormat[];
  filters: ExportFilter;
  setFilters: (filters: ExportFilter) => void;
}

/** Format, its options, and which images and masks; how many they are is told before anything starts. */
export function ExportForm({ formats, filters, setFilters }: ExportFormProps) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const toast = useToast();
  const [name, setName] = useState(formats[0]?.name ?? "");
  const [chosen, setChosen] = useState<Record<string, Options>>({});
  const [version, setVersion] = useState<number | null>(null);
  const format = formats.find((one) => one.name === name);
  const versions = useQuery(versionsQuery(dataset.id));
  const frozen = versions.data?.find((one) => one.number === version);
  const size = useQuery({
    queryKey: ["export-size", dataset.id, dataset.mask_count, filters],
    queryFn: () => api.exportSize(dataset.id, filters),
    placeholderData: keepPreviousData,
  });
  const start = useMutation({
    mutationFn: () =>
      api.startExport(dataset.id, {
        format: name as ExportStart["format"],
        options: chosen[name] ?? {},
        ...(version === null ? { filters } : { version }),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["jobs", dataset.id] }),
    onError: (error) => toast(messageOf(error)),
  });
  if (!format) return null;
  const held = frozen ?? size.data;
  const nothing = held?.images === 0;
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        start.mutate();
      }}
    >
      <fieldset className="card formats">
        <legend className="sr-only">Format</legend>
        {formats.map((one) => (
          <label key={one.name} className="format">
            <input type="radio" name="format" checked={one.name === name} onChange={() => setName(one.name)} />
            <span>
              <b>{one.title}</b>
              <span className="muted small">{one.about}</span>
              {one.name === name && one.loses && <span className="muted small">{one.loses}</span>}
            </span>
          </label>
        ))}
      </fieldset>
      <FormatOptions
        format={format}
        values={chosen[name] ?? {}}
        change={(values) => setChosen({ ...chosen, [name]: values })}
      />
      {(versions.data?.length ?? 0) > 0 && (
        <SelectField
          label="State"
          value={version === null ? "" : String(version)}
          onChange={(chosen) => setVersion(chosen === "" ? null : Number(chosen))}
        >
          <option value="">as it is now</option>
          {versions.data?.map((one) => (
            <option key={one.number} value={one.number}>
              version {one.number} {one.note.slice(0, 60)}
            </option>
          ))}
        </SelectField>
      )}
      {version === null && <ExportFilters filters={filters} change={setFilters} />}
      {size.isError && <Note tone="bad">{messageOf(size.error)}</Note>}
      <div className="row row--between">
        <span className="muted" role="status">
          {held && `${counted(held.images, "image")}, ${counted(held.masks, "mask")}`}
        </span>
        <Button type="submit" look="primary" icon={FileDown} disabled={nothing} busy={start.isPending}>
          Export as {format.title}
        </Button>
      </div>
    </form>
  );
}

interface FormatOptionsProps {
  format: ExportFormat;
  values: Options;
  change: (values: Options) => void;
}

function FormatOptions({ format, values, change }: FormatOptionsProps) {
  if (format.options.length === 0) return null;
  return (
    <div className="fields">
      {format.options.map((option) => {
        const value = values[option.name] ?? option.default;
        return (
          <Field key={`${format.name} ${option.name}`} label={option.title} hint={option.about}>
            {(id) =>
              option.choices.length > 0 ? (
                <select
                  id={id}
                  className="input"
                  value={value}
                  onChange={(event) => change({ ...values, [option.name]: event.target.value })}
                >
                  {option.choices.map((choice) => (
                    <option key={choice.value} value={choice.value}>
                      {choice.title}
                    </option>
                  ))}
                </select>
              ) : (
                <NumberInput
                  id={id}
                  className="input input--number"
                  min={option.low}
                  max={option.high}
                  step={1}
                  required
                  value={Number(value)}
                  onNumber={(number) => change({ ...values, [option.name]: number ?? 0 })}
                />
              )
            }
          </Field>
        );
      })}
    </div>
  );
}
