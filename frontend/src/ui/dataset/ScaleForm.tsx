import { useMutation } from "@tanstack/react-query";
import { Ruler } from "lucide-react";
import { useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { LengthUnit, MeasurementsState } from "../../api/types";
import { SelectField } from "../kit/fields";
import { counted } from "../kit/format";
import { Button, Field, Note } from "../kit/kit";
import { keysOf, useAskAnew, useShow } from "../kit/useChange";
import { mayLead, useDataset } from "./DatasetPage";
import { lengthTyped, pixelSizeText, UNITS } from "./units";

const SIZES: LengthUnit[] = ["um", "mm", "m"];

/** How large a pixel is where images do not tell, and what lengths are shown in. */
export function ScaleForm({ state }: { state: MeasurementsState }) {
  const dataset = useDataset();
  const told = state.scales.map((one) => `${counted(one.images, "image")} (${one.said})`).join(", ");
  return (
    <section className="card card--pad stack" aria-labelledby="scale">
      <h3 id="scale">Scale</h3>
      <p className="muted small prose">
        {told ? `A scale of their own have ${told}. ` : "No image has a scale of its own. "}
        {dataset.pixel_size === null
          ? state.unknown_images > 0 && `Of ${counted(state.unknown_images, "image")} nobody knows it.`
          : `All others: ${pixelSizeText(dataset.pixel_size)} per pixel, by hand.`}
      </p>
      {mayLead(dataset) && <Fields key={`${dataset.pixel_size} ${dataset.length_unit}`} />}
    </section>
  );
}

function Fields() {
  const dataset = useDataset();
  const show = useShow();
  const askAnew = useAskAnew();
  const size = SIZES.find((unit) => (dataset.pixel_size ?? 0) < 1000 * (UNITS[unit].metres ?? 1)) ?? "m";
  const [shown, setShown] = useState<LengthUnit>(dataset.length_unit);
  const [unit, setUnit] = useState<LengthUnit>(dataset.pixel_size === null ? "um" : size);
  const [value, setValue] = useState(
    dataset.pixel_size === null ? "" : String(Number((dataset.pixel_size / (UNITS[size].metres ?? 1)).toPrecision(9))),
  );
  const number = value.trim() === "" ? null : lengthTyped(value);
  const wrong = Number.isNaN(number);
  const save = useMutation({
    mutationFn: () =>
      api.changeDataset(dataset.id, {
        pixel_size: number === null ? null : number * (UNITS[unit].metres ?? 1),
        length_unit: shown,
      }),
    onSuccess: async (answer) => {
      await show(["dataset", dataset.id], answer);
      return askAnew(keysOf(dataset.id, "measure-figures", "measurements"));
    },
  });
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        if (!wrong) save.mutate();
      }}
    >
      <div className="fields">
        <Field label="Side of a pixel" hint="Of images that do not tell; empty: not known">
          {(id, hintId) => (
            <span className="row row--tight">
              <input
                id={id}
                className="input input--number"
                inputMode="decimal"
                aria-describedby={hintId}
                value={value}
                aria-invalid={wrong}
                onChange={(event) => setValue(event.target.value)}
              />
              <select
                className="input input--small"
                aria-label="Unit of the side of a pixel"
                value={unit}
                onChange={(event) => setUnit(event.target.value as LengthUnit)}
              >
                {SIZES.map((one) => (
                  <option key={one} value={one}>
                    {UNITS[one].name}
                  </option>
                ))}
              </select>
            </span>
          )}
        </Field>
        <SelectField label="Show lengths in" value={shown} onChange={setShown}>
          {(Object.keys(UNITS) as LengthUnit[]).map((one) => (
            <option key={one} value={one}>
              {UNITS[one].plural}
            </option>
          ))}
        </SelectField>
      </div>
      {wrong && <Note tone="bad">The side of a pixel is a number above zero.</Note>}
      {save.isError && <Note tone="bad">{messageOf(save.error)}</Note>}
      <div className="row">
        <Button type="submit" icon={Ruler} busy={save.isPending} disabled={wrong}>
          Save the scale
        </Button>
      </div>
    </form>
  );
}
