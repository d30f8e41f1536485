import { NavLink } from "react-router";
import { useDataset } from "./DatasetPage";

/** The two ways of looking at all masks of a dataset. */
export function ObjectsNav() {
  const dataset = useDataset();
  const base = `/datasets/${dataset.id}/objects`;
  return (
    <nav className="segments" aria-label="Objects">
      <NavLink to={base} end>
        Measurements
      </NavLink>
      <NavLink to={`${base}/alike`}>Alike and unlike</NavLink>
    </nav>
  );
}
