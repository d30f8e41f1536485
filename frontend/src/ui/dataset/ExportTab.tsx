import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/endpoints";
import type { ExportFilter } from "../../api/types";
import { ErrorState, Loading, Note } from "../kit/kit";
import { mayLead, mayReview, useDataset } from "./DatasetPage";
import { ExportForm } from "./ExportForm";
import { ImportForm } from "./ImportForm";
import { TransferList } from "./TransferList";
import { VersionsSection } from "./VersionsSection";

export function ExportTab() {
  const dataset = useDataset();
  const [filters, setFilters] = useState<ExportFilter>({});
  const formats = useQuery({ queryKey: ["formats"], queryFn: api.formats, staleTime: Number.POSITIVE_INFINITY });
  if (formats.isPending) return <Loading label="Loading the formats" />;
  if (formats.isLoadingError) return <ErrorState error={formats.error} retry={() => void formats.refetch()} />;
  return (
    <div className="columns">
      <section className="stack" aria-labelledby="export">
        <h2 id="export">Export</h2>
        <p className="muted">
          Masks with where they came from. Everything is read again and checked before the link appears.
        </p>
        {mayReview(dataset) ? (
          <ExportForm formats={formats.data.exports} filters={filters} setFilters={setFilters} />
        ) : (
          <Note>Reviewers and leads of the dataset can start an export.</Note>
        )}
      </section>
      <div className="stack stack--large">
        {mayLead(dataset) && <ImportForm formats={formats.data.imports} />}
        <TransferList formats={formats.data.exports} />
        <VersionsSection filters={filters} />
      </div>
    </div>
  );
}
