import { useQuery } from "@tanstack/react-query";
import { api } from "../../api/endpoints";
import { useDataset } from "./DatasetPage";

interface CategoryChoiceProps {
  /** Null: all of them; "": masks without one. */
  value: string | null;
  onChange: (category: string | null) => void;
}

const ALL = "all";

/** One category of the dataset, or all. Names carry a mark, so that none is taken for a choice of its own. */
export function CategoryChoice({ value, onChange }: CategoryChoiceProps) {
  const dataset = useDataset();
  const names = useQuery({ queryKey: ["categories", dataset.id], queryFn: () => api.categories(dataset.id) });
  const known = (names.data ?? []).map((one) => one.name);
  if (value && !known.includes(value)) known.push(value);
  return (
    <select
      className="input input--small"
      aria-label="Category"
      value={value === null ? ALL : `=${value}`}
      onChange={(event) => onChange(event.target.value === ALL ? null : event.target.value.slice(1))}
    >
      <option value={ALL}>All categories</option>
      {known.map((name) => (
        <option key={name} value={`=${name}`}>
          {name}
        </option>
      ))}
      <option value="=">No category</option>
    </select>
  );
}
