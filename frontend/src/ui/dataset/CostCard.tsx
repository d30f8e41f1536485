import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { messageOf } from "../../api/client";
import { api } from "../../api/endpoints";
import type { Proof } from "../../api/types";
import { TextField } from "../kit/fields";
import { duration } from "../kit/format";
import { Button, Note } from "../kit/kit";
import { useDataset } from "./DatasetPage";

interface CostCardProps {
  proof: Proof;
  cost: NonNullable<Proof["cost"]>;
}

/** What people's hours come to, and what 1,000 masks cost at the lead's rate. */
export function CostCard({ proof, cost }: CostCardProps) {
  const dataset = useDataset();
  const queries = useQueryClient();
  const [rate, setRate] = useState(cost.rate === null ? "" : String(cost.rate));
  const [currency, setCurrency] = useState(cost.currency);
  const save = useMutation({
    mutationFn: () =>
      api.changeDataset(dataset.id, {
        hourly_rate: rate === "" ? null : Number(rate),
        currency: currency.toUpperCase(),
      }),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["proof", dataset.id] }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  const hours = Object.entries(proof.hours);
  return (
    <section className="card card--pad stack" aria-labelledby="cost">
      <h2 id="cost">Cost</h2>
      <div className="facts">
        <div>
          <span className="fact__value">
            {cost.per_1000 === null ? "–" : `${cost.per_1000.toFixed(0)} ${cost.currency}`}
          </span>
          <span className="fact__label">per 1,000 masks that people made or kept</span>
        </div>
      </div>
      <ul className="small">
        {hours.map(([kind, value]) => (
          <li key={kind}>
            {kind}: {duration(value * 3600)}
          </li>
        ))}
      </ul>
      {save.isError && <Note tone="bad">{messageOf(save.error)}</Note>}
      <form className="fields fields--narrow fields--end" onSubmit={submit}>
        <TextField label="Rate of an hour" type="number" min={0} step="any" value={rate} onChange={setRate} />
        <TextField
          label="Currency"
          maxLength={3}
          required
          pattern="[A-Za-z]{3}"
          value={currency}
          onChange={setCurrency}
        />
        <Button type="submit" busy={save.isPending}>
          Save
        </Button>
      </form>
      <p className="muted small">Only leads see this card, and the figures by person.</p>
    </section>
  );
}
