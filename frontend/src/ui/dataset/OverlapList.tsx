import { Link } from "react-router";
import { api } from "../../api/endpoints";
import { count } from "../kit/format";
import { Badge, TableScroll } from "../kit/kit";
import { Paged, usePages } from "../kit/pages";
import { useDataset } from "./DatasetPage";

/** The pictures that two people have masked, each with a page on which their masks become one. */
export function OverlapList() {
  const dataset = useDataset();
  const list = usePages({
    queryKey: ["overlaps", dataset.id],
    queryFn: (next) => api.overlaps(dataset.id, next),
  });
  return (
    <Paged list={list} loading="Loading the pictures" more="Show earlier ones">
      {(rows) => (
        <TableScroll label="Pictures that two people masked" card>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Picture</th>
                <th scope="col">Second person</th>
                <th scope="col" className="number">
                  Mean IoU
                </th>
                <th scope="col" className="number">
                  By both
                </th>
                <th scope="col" className="number">
                  Only one
                </th>
                <th scope="col">Decided</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.id}>
                  <td>
                    <Link to={`/datasets/${dataset.id}/overlaps/${row.id}`}>{row.file_name}</Link>
                  </td>
                  <td>{row.second ?? "–"}</td>
                  <td className="number">{row.mean_iou === null ? "–" : row.mean_iou.toFixed(3)}</td>
                  <td className="number">{count(row.pairs)}</td>
                  <td className="number">{count(row.missed + row.extra)}</td>
                  <td>
                    {row.decided > 0 ? (
                      <Badge tone="good">{count(row.decided)}</Badge>
                    ) : (
                      <span className="muted small">not yet</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
    </Paged>
  );
}
