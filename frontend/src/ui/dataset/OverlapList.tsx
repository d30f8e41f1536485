import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api } from "../../api/endpoints";
import { count } from "../kit/format";
import { Badge, Button, ErrorState, Loading, TableScroll } from "../kit/kit";
import { useDataset } from "./DatasetPage";

/** The pictures that two people have masked, each with a page on which their masks become one. */
export function OverlapList() {
  const dataset = useDataset();
  const list = useInfiniteQuery({
    queryKey: ["overlaps", dataset.id],
    queryFn: ({ pageParam }) => api.overlaps(dataset.id, pageParam),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.next,
  });
  if (list.isPending) return <Loading label="Loading the pictures" />;
  if (list.isError) return <ErrorState error={list.error} retry={() => void list.refetch()} />;
  const rows = list.data.pages.flatMap((page) => page.results);
  return (
    <>
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
      {list.hasNextPage && (
        <div className="row">
          <Button busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            Show earlier ones
          </Button>
        </div>
      )}
    </>
  );
}
